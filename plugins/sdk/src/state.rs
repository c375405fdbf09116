//! The bytes of one group's state: numbers as variable-length integers, smallest first.

/// Writes a state.
#[derive(Debug, Default)]
pub struct StateWriter {
    pub(crate) bytes: Vec<u8>,
}

impl StateWriter {
    /// A number that is not negative.
    pub fn unsigned(&mut self, value: impl Into<u128>) {
        let mut value = value.into();
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Any integer.
    pub fn signed(&mut self, value: impl Into<i128>) {
        let value = value.into();
        self.unsigned(((value << 1) ^ (value >> 127)) as u128);
    }

    /// The bits of a double.
    pub fn real(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Bytes with their length.
    pub fn bytes(&mut self, value: &[u8]) {
        self.unsigned(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }
}

/// Reads a state in the order in which it was written. `None` when it ends early or a number does not fit.
#[derive(Clone, Copy, Debug)]
pub struct StateReader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> StateReader<'a> {
    /// Over a whole state.
    pub fn new(state: &'a [u8]) -> Self {
        StateReader { rest: state }
    }

    /// What [`StateWriter::unsigned`] wrote, as `u32`, `u64` or `u128`.
    pub fn unsigned<T: TryFrom<u128>>(&mut self) -> Option<T> {
        let (mut value, mut shift) = (0_u128, 0);
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            let part = u128::from(byte & 0x7f);
            if shift >= 128 || (part << shift) >> shift != part {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return T::try_from(value).ok();
            }
            shift += 7;
        }
    }

    /// What [`StateWriter::signed`] wrote, as `i64` or `i128`.
    pub fn signed<T: TryFrom<i128>>(&mut self) -> Option<T> {
        let value: u128 = self.unsigned()?;
        T::try_from((value >> 1) as i128 ^ -((value & 1) as i128)).ok()
    }

    /// What [`StateWriter::real`] wrote.
    pub fn real(&mut self) -> Option<f64> {
        let (cell, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*cell))
    }

    /// What [`StateWriter::bytes`] wrote.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.unsigned::<usize>()?;
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_wrote() {
        let mut out = StateWriter::default();
        for value in [0, 1, 127, 128, u64::MAX] {
            out.unsigned(value);
        }
        out.unsigned(u128::MAX);
        for value in [0, -1, i64::MIN, i64::MAX] {
            out.signed(value);
        }
        out.signed(i128::MIN);
        out.real(-0.0);
        out.bytes(b"ab");
        let mut state = StateReader::new(&out.bytes);
        assert_eq!([0; 5].map(|_| state.unsigned::<u64>().unwrap()), [0, 1, 127, 128, u64::MAX]);
        assert_eq!(state.unsigned::<u128>(), Some(u128::MAX));
        assert_eq!([0; 4].map(|_| state.signed::<i64>().unwrap()), [0, -1, i64::MIN, i64::MAX]);
        assert_eq!(state.signed::<i128>(), Some(i128::MIN));
        assert_eq!(state.real().map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert_eq!(state.bytes(), Some(&b"ab"[..]));
        assert!(state.is_empty());
        assert_eq!(state.unsigned::<u64>(), None);
        assert_eq!(StateReader::new(&[0xff; 30]).unsigned::<u128>(), None);
    }
}
