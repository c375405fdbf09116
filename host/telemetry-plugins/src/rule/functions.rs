//! What can be called in a rule.

use telemetry_model::{FieldType, Timestamp};

use super::RuleError;
use super::code::{Code, Type};
use super::expression::{About, Made, Parser};
use super::lexer::Word;

/// A function of given types: name, letter, what it takes, what it gives.
const FUNCTIONS: [(&str, char, &[Wants], Type); 14] = [
    ("starts_with", 'S', &[Wants::Text, Wants::Text], Type::BOOLEAN),
    ("ends_with", 'E', &[Wants::Text, Wants::Text], Type::BOOLEAN),
    ("contains", 'C', &[Wants::Text, Wants::Text], Type::BOOLEAN),
    ("before", 'B', &[Wants::Text, Wants::Text], Type::TEXT),
    ("after", 'A', &[Wants::Text, Wants::Text], Type::TEXT),
    ("size", 'z', &[Wants::Text], Type::INTEGER),
    ("lower", 'L', &[Wants::Text], Type::TEXT),
    ("upper", 'U', &[Wants::Text], Type::TEXT),
    ("round", 'r', &[Wants::Number], Type::INTEGER),
    ("floor", 'F', &[Wants::Number], Type::INTEGER),
    ("ceil", 'Q', &[Wants::Number], Type::INTEGER),
    ("abs", 'b', &[Wants::Number], Type::Null),
    ("hour", 'H', &[Wants::Time], Type::INTEGER),
    ("weekday", 'W', &[Wants::Time], Type::INTEGER),
];
/// The others; the first six read an attribute as that type.
const OTHERS: [&str; 13] =
    ["boolean", "integer", "real", "text", "time", "json", "has", "mismatched", "count", "sum", "mean", "min", "max"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Text,
    Number,
    Time,
}

impl Wants {
    fn takes(self, ty: Type) -> bool {
        match self {
            Wants::Text => ty.is_text(),
            Wants::Number => ty.is_number(),
            Wants::Time => ty.is(Type::TIME),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Wants::Text => "text",
            Wants::Number => "a number",
            Wants::Time => "a time",
        }
    }
}

impl Parser<'_, '_> {
    /// A call of `name`, behind its opening bracket. `receiver` is what it is called on.
    pub(super) fn call(&mut self, name: &str, at: usize, receiver: Option<Made>) -> Result<Made, RuleError> {
        if let (Ok(ty), None) = (name.parse::<FieldType>(), &receiver)
            && let Some(made) = self.attribute(ty)
        {
            self.expect(")")?;
            return Ok(made);
        }
        if receiver.is_none() && matches!(name, "count" | "sum" | "mean" | "min" | "max") {
            return self.gathered(name, at);
        }
        if let (None, "time", Word::Text(text)) = (&receiver, name, self.peek().clone()) {
            return self.moment(&text);
        }
        let mut given: Vec<Made> = receiver.into_iter().collect();
        while *self.peek() != Word::Sign(")") {
            given.push(self.binary(0)?);
            if *self.peek() != Word::Sign(",") {
                break;
            }
            self.take();
        }
        self.expect(")")?;
        apply(name, given).map_err(|problem| RuleError::new(at, problem))
    }

    /// `time('2026-01-01T00:00:00Z')`
    fn moment(&mut self, text: &str) -> Result<Made, RuleError> {
        let time = Timestamp::parse(text).map_err(|error| self.error(format!("`{text}`: it is {error}")))?;
        self.take();
        self.expect(")")?;
        let mut code = Code::default();
        code.numbered('m', time.0);
        Ok((code, Type::TIME))
    }

    /// `sum(value, condition)` and the like.
    fn gathered(&mut self, name: &str, at: usize) -> Result<Made, RuleError> {
        if self.about == About::Row {
            return Err(RuleError::new(at, format!("`{name}` is of many rows: only a metric has that, and not inside of another")));
        }
        self.about = About::Row;
        let (mut value, mut ty) = (Code::default(), Type::BOOLEAN);
        value.op('t');
        let mut condition = value.clone();
        if *self.peek() != Word::Sign(")") {
            (value, ty) = self.binary(0)?;
        } else if name != "count" {
            return Err(self.error(format!("`{name}` wants a value")));
        }
        if *self.peek() == Word::Sign(",") {
            self.take();
            let at = self.at();
            let given = self.binary(0)?;
            if !given.1.is(Type::BOOLEAN) {
                return Err(RuleError::new(at, format!("which rows: that is boolean, this is {}", given.1.as_str())));
            }
            condition = given.0;
        }
        self.about = About::Group;
        self.expect(")")?;
        let (letter, gives) = match (name, ty) {
            ("count", _) => ('c', Type::INTEGER),
            ("sum", Type::INTEGER) => ('s', ty),
            ("sum", Type::REAL) => ('S', ty),
            ("mean", Type::INTEGER) => ('a', Type::REAL),
            ("mean", Type::REAL) => ('A', ty),
            ("min", Type::INTEGER | Type::REAL | Type::TIME) => ('l', ty),
            ("max", Type::INTEGER | Type::REAL | Type::TIME) => ('g', ty),
            _ => return Err(RuleError::new(at, format!("`{name}` wants a number, this is {}", ty.as_str()))),
        };
        let mut code = Code::default();
        code.numbered('a', self.scope.gather(letter, &value, &condition));
        Ok((code, gives))
    }
}

fn apply(name: &str, given: Vec<Made>) -> Result<Made, String> {
    let types: Vec<Type> = given.iter().map(|(_, ty)| *ty).collect();
    if let Some((_, letter, wanted, gives)) = FUNCTIONS.into_iter().find(|(known, ..)| *known == name) {
        if types.len() != wanted.len() {
            return Err(format!("`{name}` wants {}, not {}", values(wanted.len()), types.len()));
        }
        if let Some((wanted, ty)) = wanted.iter().zip(&types).find(|(wanted, ty)| !wanted.takes(**ty)) {
            return Err(format!("`{name}` wants {}, this is {}", wanted.as_str(), ty.as_str()));
        }
        let gives = if gives == Type::Null { types.first().copied().unwrap_or(gives) } else { gives };
        return Ok((in_order(given, letter), gives));
    }
    let [ty] = types[..] else {
        let known = OTHERS.contains(&name);
        return Err(if known { format!("`{name}` wants one value, not {}", types.len()) } else { unknown(name) });
    };
    let (letter, gives) = match (name, ty) {
        ("has", _) => return Ok(present(given)),
        ("mismatched", _) => return mismatched(given),
        ("integer", Type::Null | Type::BOOLEAN | Type::INTEGER | Type::REAL | Type::TEXT) => ('I', Type::INTEGER),
        ("real", Type::Null | Type::INTEGER | Type::REAL | Type::TEXT) => ('R', Type::REAL),
        ("text", Type::Null | Type::BOOLEAN | Type::INTEGER | Type::REAL | Type::TEXT | Type::Of(FieldType::Json)) => ('T', Type::TEXT),
        _ if OTHERS.contains(&name) => return Err(format!("`{name}` cannot be made of {}", ty.as_str())),
        _ => return Err(unknown(name)),
    };
    Ok((in_order(given, letter), gives))
}

fn in_order(given: Vec<Made>, letter: char) -> Code {
    let mut code = Code::default();
    given.iter().for_each(|(one, _)| code.append(one));
    code.op(letter);
    code
}

/// A field is there when it has a value of any type.
fn present(given: Vec<Made>) -> Made {
    let column = given.first().and_then(|(code, _)| code.column());
    let mut code = in_order(given, 'h');
    if let Some(column) = column {
        code.numbered('x', column);
        code.op('|');
    }
    (code, Type::BOOLEAN)
}

fn mismatched(given: Vec<Made>) -> Result<Made, String> {
    let column = given.first().and_then(|(code, _)| code.column());
    let column = column.ok_or("`mismatched` wants a field, or one as a type: mismatched(integer(attributes['a']))")?;
    let mut code = Code::default();
    code.numbered('x', column);
    Ok((code, Type::BOOLEAN))
}

fn values(count: usize) -> String {
    if count == 1 { "one value".to_owned() } else { format!("{count} values") }
}

fn unknown(name: &str) -> String {
    let known = FUNCTIONS.iter().map(|(known, ..)| *known).chain(OTHERS);
    let alike = known.clone().map(|known| (strsim::damerau_levenshtein(known, &name.to_lowercase()), known)).min();
    match alike.filter(|(distance, _)| *distance <= 2) {
        Some((_, alike)) => format!("there is no function `{name}`; did you mean `{alike}`?"),
        None => format!("there is no function `{name}`; there are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
