//! A program as the host hands it over (README.md), decoded.

use std::borrow::Cow;

use cylestio_plugin_sdk::{PluginError, Settings};

use crate::aggregate::How;
use crate::ops::{Code, Decides, One, Op, Two};
use crate::validating::Severity;
use crate::value::Value;
use crate::write::Type;

/// What there is to do, and with which settings.
pub struct Plan {
    pub settings: Vec<Value<'static>>,
    pub task: Task,
}

pub enum Task {
    /// A code for each key.
    Enrich(Vec<(Type, Code)>),
    Validate(Vec<Check>),
    /// What is gathered of each group's rows, and a code over that for each column.
    Measure {
        gathers: Vec<Gather>,
        writes: Vec<(Type, Code)>,
    },
}

/// One thing that a validator looks at.
pub struct Check {
    /// What the code gives for a bad row.
    pub bad: bool,
    pub severity: Severity,
    pub field: String,
    pub name: String,
    pub message: String,
    pub code: Code,
}

/// Values of the rows for which `condition` is true.
pub struct Gather {
    pub how: How,
    pub value: Code,
    pub condition: Code,
}

/// The name under which the program stands in the configuration.
const PROGRAM: &str = "";

impl Plan {
    pub fn read(config: &str, parameters: &str) -> Result<Self, PluginError> {
        let settings = Settings::new(config, parameters);
        let program = settings.text(PROGRAM).ok_or_else(|| PluginError::InvalidConfig("there is no program".to_owned()))?;
        let mut reader = Reader { rest: &program };
        let plan = reader.plan(&settings).filter(|_| reader.rest.is_empty());
        plan.ok_or_else(|| PluginError::InvalidConfig(format!("not a program, {} bytes before its end", reader.rest.len())))
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn plan(&mut self, settings: &Settings) -> Option<Plan> {
        let settings = self.list(|reader| reader.setting(settings))?;
        let task = match self.letter()? {
            b'e' => Task::Enrich(self.list(Self::write)?),
            b'v' => Task::Validate(self.list(Self::check)?),
            b'm' => Task::Measure { gathers: self.list(Self::gather)?, writes: self.list(Self::write)? },
            _ => return None,
        };
        Some(Plan { settings, task })
    }

    fn setting(&mut self, settings: &Settings) -> Option<Value<'static>> {
        let (ty, name) = (self.ty()?, self.text()?);
        let value = match ty {
            Type::Boolean => settings.boolean(name).map(Value::Boolean),
            Type::Integer => settings.integer(name).map(Value::Integer),
            Type::Real => settings.real(name).map(Value::Real),
            Type::Text => settings.text(name).map(|text| Value::Text(Cow::Owned(text))),
            _ => None,
        };
        Some(value.unwrap_or(Value::Null))
    }

    fn write(&mut self) -> Option<(Type, Code)> {
        Some((self.ty()?, self.code()?))
    }

    fn check(&mut self) -> Option<Check> {
        let bad = self.letter()? == b'w';
        let severity = if self.letter()? == b'r' { Severity::Reject } else { Severity::Flag };
        let (field, name, message) = (self.text()?.to_owned(), self.text()?.to_owned(), self.text()?.to_owned());
        Some(Check { bad, severity, field, name, message, code: self.code()? })
    }

    fn gather(&mut self) -> Option<Gather> {
        Some(Gather { how: How::of(self.letter()?)?, value: self.code()?, condition: self.code()? })
    }

    fn code(&mut self) -> Option<Code> {
        self.list(Self::op)
    }

    fn op(&mut self) -> Option<Op> {
        let one = |one| Some(Op::One(one));
        let two = |two| Some(Op::Two(two));
        match self.letter()? {
            b'n' => Some(Op::Push(Value::Null)),
            b't' => Some(Op::Push(Value::Boolean(true))),
            b'f' => Some(Op::Push(Value::Boolean(false))),
            b'i' => Some(Op::Push(Value::Integer(self.number()?))),
            b'm' => Some(Op::Push(Value::Time(self.number()?))),
            b'd' => Some(Op::Push(Value::Real(f64::from_bits(self.number()?)))),
            b's' => Some(Op::Push(Value::Text(Cow::Owned(self.text()?.to_owned())))),
            b'c' => Some(Op::Column(self.number()?)),
            b'x' => Some(Op::Mismatched(self.number()?)),
            b'k' => Some(Op::Setting(self.number()?)),
            b'a' => Some(Op::Aggregate(self.number()?)),
            b'j' => Some(Op::Decided(Decides::False, self.number()?)),
            b'J' => Some(Op::Decided(Decides::True, self.number()?)),
            b'v' => Some(Op::Decided(Decides::Value, self.number()?)),
            b'u' => Some(Op::Unless(self.number()?)),
            b'p' => Some(Op::Jump(self.number()?)),
            b'N' => Some(Op::In(self.number()?)),
            b'!' => one(One::Not),
            b'~' => one(One::Negate),
            b'h' => one(One::Has),
            b'z' => one(One::Size),
            b'L' => one(One::Lower),
            b'U' => one(One::Upper),
            b'I' => one(One::ToInteger),
            b'R' => one(One::ToReal),
            b'T' => one(One::ToText),
            b'r' => one(One::Round),
            b'F' => one(One::Floor),
            b'Q' => one(One::Ceil),
            b'b' => one(One::Abs),
            b'H' => one(One::Hour),
            b'W' => one(One::Weekday),
            b'&' => two(Two::And),
            b'|' => two(Two::Or),
            b'o' => two(Two::OrElse),
            b'=' => two(Two::Equal),
            b'#' => two(Two::Unequal),
            b'<' => two(Two::Less),
            b'>' => two(Two::Greater),
            b'l' => two(Two::AtMost),
            b'g' => two(Two::AtLeast),
            b'+' => two(Two::Add),
            b'-' => two(Two::Subtract),
            b'*' => two(Two::Multiply),
            b'/' => two(Two::Divide),
            b'%' => two(Two::Remainder),
            b'S' => two(Two::StartsWith),
            b'E' => two(Two::EndsWith),
            b'C' => two(Two::Contains),
            b'B' => two(Two::Before),
            b'A' => two(Two::After),
            _ => None,
        }
    }

    fn ty(&mut self) -> Option<Type> {
        match self.letter()? {
            b'b' => Some(Type::Boolean),
            b'i' => Some(Type::Integer),
            b'r' => Some(Type::Real),
            b'm' => Some(Type::Time),
            b's' => Some(Type::Text),
            b'j' => Some(Type::Json),
            _ => None,
        }
    }

    fn list<T>(&mut self, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count: usize = self.number()?;
        // Each takes a byte at least.
        let mut list = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            list.push(one(self)?);
        }
        Some(list)
    }

    fn letter(&mut self) -> Option<u8> {
        let letter = *self.rest.as_bytes().first()?;
        self.rest = self.rest.get(1..)?;
        Some(letter)
    }

    /// Digits up to a `;`.
    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        let end = self.rest.bytes().position(|byte| byte == b';')?;
        let number = self.rest.get(..end)?.parse().ok()?;
        self.rest = self.rest.get(end + 1..)?;
        Some(number)
    }

    /// Its bytes' number, then they.
    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        let text = self.rest.get(..len)?;
        self.rest = self.rest.get(len..)?;
        Some(text)
    }
}
