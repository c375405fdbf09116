//! Expressions: read, typed and turned into operations in one pass.

use telemetry_model::{Field, FieldType};

use super::RuleError;
use super::code::{Code, Type};
use super::lexer::{Token, Word, words};
use super::scope::Scope;

/// Deeper in brackets is refused.
const MAX_DEPTH: usize = 64;

/// What an expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// One row.
    Row,
    /// The rows of a group.
    Group,
}

/// What was read.
pub(super) type Made = (Code, Type);

/// Reads a whole expression.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn expression(text: &str, about: About, scope: &mut Scope<'_>) -> Result<Made, RuleError> {
    let mut parser = Parser { words: words(text)?, next: 0, about, scope, depth: 0 };
    let made = parser.binary(0)?;
    match parser.peek() {
        Word::End => Ok(made),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

pub(super) struct Parser<'a, 's> {
    words: Vec<Token>,
    next: usize,
    pub(super) about: About,
    pub(super) scope: &'a mut Scope<'s>,
    depth: usize,
}

/// Operators of two sides: sign, letter, how tightly they bind.
const OPERATORS: [(&str, char, u8); 14] = [
    ("??", 'o', 2),
    ("||", '|', 3),
    ("&&", '&', 4),
    ("==", '=', 5),
    ("!=", '#', 5),
    ("<=", 'l', 5),
    (">=", 'g', 5),
    ("<", '<', 5),
    (">", '>', 5),
    ("+", '+', 6),
    ("-", '-', 6),
    ("*", '*', 7),
    ("/", '/', 7),
    ("%", '%', 7),
];
const COMPARES: u8 = 5;

impl<'s> Parser<'_, 's> {
    /// An expression whose operators bind at least so tightly.
    pub(super) fn binary(&mut self, least: u8) -> Result<Made, RuleError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("more than {MAX_DEPTH} brackets deep")));
        }
        let mut left = self.unary()?;
        loop {
            let at = self.at();
            if least <= COMPARES && *self.peek() == Word::Name("in".to_owned()) {
                self.next += 1;
                left = self.list(left)?;
                continue;
            }
            if least <= 1 && *self.peek() == Word::Sign("?") {
                self.next += 1;
                left = self.choice(left, at)?;
                continue;
            }
            let Word::Sign(sign) = *self.peek() else { break };
            let Some((_, letter, tight)) = OPERATORS.into_iter().find(|(known, ..)| *known == sign) else {
                if sign == "=" || sign == "&" {
                    return Err(self.error(format!("`{sign}` means nothing here; did you mean `{sign}{sign}`?")));
                }
                break;
            };
            if tight < least {
                break;
            }
            self.next += 1;
            let right = self.binary(tight + 1)?;
            left = joined(left, right, letter).map_err(|problem| RuleError::new(at, format!("`{sign}`: {problem}")))?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn unary(&mut self) -> Result<Made, RuleError> {
        let at = self.at();
        let (letter, sign) = match self.peek() {
            Word::Sign("!") => ('!', "!"),
            Word::Sign("-") => ('~', "-"),
            _ => return self.methods(),
        };
        self.next += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("more than {MAX_DEPTH} brackets deep")));
        }
        let (mut code, ty) = self.unary()?;
        self.depth -= 1;
        let fits = if letter == '!' { ty.is(Type::BOOLEAN) } else { ty.is_number() };
        if !fits {
            let wanted = if letter == '!' { "boolean" } else { "a number" };
            return Err(RuleError::new(at, format!("`{sign}` wants {wanted}, this is {}", ty.as_str())));
        }
        code.op(letter);
        Ok((code, ty))
    }

    /// A value, and what is called on it.
    fn methods(&mut self) -> Result<Made, RuleError> {
        let mut value = self.primary()?;
        while *self.peek() == Word::Sign(".") {
            self.next += 1;
            let at = self.at();
            let Word::Name(name) = self.take() else { return Err(RuleError::new(at, "a function's name is missing")) };
            self.expect("(")?;
            value = self.call(&name, at, Some(value))?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Made, RuleError> {
        let at = self.at();
        let mut code = Code::default();
        let ty = match self.take() {
            Word::Integer(integer) => {
                code.numbered('i', integer);
                Type::INTEGER
            }
            Word::Real(real) => {
                code.numbered('d', real.to_bits());
                Type::REAL
            }
            Word::Text(text) => {
                code.text(&text);
                Type::TEXT
            }
            Word::Sign("(") => {
                let inner = self.binary(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Word::Name(name) => match &*name {
                "true" | "false" => {
                    code.op(if name == "true" { 't' } else { 'f' });
                    Type::BOOLEAN
                }
                "null" => {
                    code.op('n');
                    Type::Null
                }
                _ if *self.peek() == Word::Sign("(") => {
                    self.next += 1;
                    return self.call(&name, at, None);
                }
                _ => {
                    self.next -= 1;
                    return self.named();
                }
            },
            _ => {
                self.next -= 1;
                return Err(self.unexpected("a value"));
            }
        };
        Ok((code, ty))
    }

    /// A field or a setting.
    fn named(&mut self) -> Result<Made, RuleError> {
        let at = self.at();
        let name = self.path()?;
        let fail = |problem: String| RuleError::new(at, problem);
        let mut code = Code::default();
        if let Some((of @ ("config" | "parameters"), setting)) = name.split_once('.') {
            let (place, ty) = self.scope.setting(of, setting).map_err(fail)?;
            code.numbered('k', place);
            return Ok((code, ty));
        }
        let field = self.scope.field(&name).map_err(fail)?;
        if self.about == About::Group {
            return Err(fail(format!("`{name}` is of one row; a report is of many: take count, sum, mean, min or max of it")));
        }
        let (place, ty) = self.scope.column(field, None);
        code.take(place);
        Ok((code, Type::Of(ty)))
    }

    /// An attribute as another type than text, in the brackets of that type's name. Nothing is taken when it is not one.
    pub(super) fn attribute(&mut self, ty: FieldType) -> Option<Made> {
        let start = self.next;
        let field = self.path().ok().and_then(|name| self.scope.field(&name).ok());
        let typed = field.filter(|field| {
            let declared = self.scope.declared_type(field);
            matches!(field, Field::Attribute(_)) && declared.is_none_or(|declared| declared == ty) && self.about == About::Row
        });
        match typed {
            Some(field) if *self.peek() == Word::Sign(")") => {
                let (place, ty) = self.scope.column(field, Some(ty));
                let mut code = Code::default();
                code.take(place);
                Some((code, Type::Of(ty)))
            }
            _ => {
                self.next = start;
                None
            }
        }
    }

    /// Names with dots between, up to what is called; or `attributes[..]`. As fields are written elsewhere.
    fn path(&mut self) -> Result<String, RuleError> {
        let Word::Name(mut name) = self.take() else {
            self.next -= 1;
            return Err(self.unexpected("a name"));
        };
        if name == "attributes" && *self.peek() == Word::Sign("[") {
            self.next += 1;
            let Word::Text(key) = self.take() else {
                self.next -= 1;
                return Err(self.unexpected("a key in quotes"));
            };
            self.expect("]")?;
            return Ok(format!("attributes[{}]", serde_json::Value::from(key)));
        }
        while let (Word::Sign("."), Some(Word::Name(part))) = (self.peek(), self.ahead(1)) {
            if self.ahead(2) == Some(&Word::Sign("(")) {
                break;
            }
            name = format!("{name}.{part}");
            self.next += 2;
        }
        Ok(name)
    }

    /// `.. in [a, b]`
    fn list(&mut self, (mut code, ty): Made) -> Result<Made, RuleError> {
        self.expect("[")?;
        let mut count = 0;
        while *self.peek() != Word::Sign("]") {
            let at = self.at();
            let (one, of) = self.binary(2)?;
            if ty.joined(of).is_none() {
                return Err(RuleError::new(at, format!("this is {}, what is looked for is {}", of.as_str(), ty.as_str())));
            }
            code.append(&one);
            count += 1;
            if *self.peek() != Word::Sign(",") {
                break;
            }
            self.next += 1;
        }
        self.expect("]")?;
        code.numbered('N', count);
        Ok((code, Type::BOOLEAN))
    }

    /// `.. ? a : b`
    fn choice(&mut self, (mut code, ty): Made, at: usize) -> Result<Made, RuleError> {
        if !ty.is(Type::BOOLEAN) {
            return Err(RuleError::new(at, format!("what stands before `?` is {}, not boolean", ty.as_str())));
        }
        let (yes, yes_ty) = self.binary(1)?;
        self.expect(":")?;
        let (no, no_ty) = self.binary(1)?;
        let joined = yes_ty.joined(no_ty);
        let differ = || format!("both sides of `:` are of one type, these are {} and {}", yes_ty.as_str(), no_ty.as_str());
        let joined = joined.ok_or_else(|| RuleError::new(at, differ()))?;
        code.numbered('u', yes.len() + 1);
        code.append(&yes);
        code.numbered('p', no.len());
        code.append(&no);
        Ok((code, joined))
    }

    pub(super) fn peek(&self) -> &Word {
        self.ahead(0).unwrap_or(&Word::End)
    }

    fn ahead(&self, by: usize) -> Option<&Word> {
        self.words.get(self.next + by).map(|token| &token.word)
    }

    pub(super) fn at(&self) -> usize {
        self.words.get(self.next).or(self.words.last()).map_or(0, |token| token.at)
    }

    pub(super) fn take(&mut self) -> Word {
        let word = self.peek().clone();
        self.next += 1;
        word
    }

    pub(super) fn expect(&mut self, sign: &'static str) -> Result<(), RuleError> {
        if *self.peek() == Word::Sign(sign) {
            self.next += 1;
            return Ok(());
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    fn unexpected(&self, wanted: &str) -> RuleError {
        let found = match self.peek() {
            Word::Name(name) => format!("`{name}`"),
            Word::Integer(integer) => format!("`{integer}`"),
            Word::Real(real) => format!("`{real}`"),
            Word::Text(_) => "a text".to_owned(),
            Word::Sign(sign) => format!("`{sign}`"),
            Word::End => "the end".to_owned(),
        };
        self.error(format!("expected {wanted}, found {found}"))
    }

    pub(super) fn error(&self, problem: impl Into<String>) -> RuleError {
        RuleError::new(self.at(), problem)
    }
}

/// Both sides and what is done with them.
fn joined((mut code, left): Made, (right_code, right): Made, letter: char) -> Result<Made, String> {
    let differ = || format!("{} and {} do not go together", left.as_str(), right.as_str());
    let either = left.joined(right).ok_or_else(differ);
    let numbers = left.is_number() && right.is_number();
    let ty = match letter {
        '&' | '|' if left.is(Type::BOOLEAN) && right.is(Type::BOOLEAN) => Type::BOOLEAN,
        '&' | '|' => return Err(format!("both sides are boolean, these are {} and {}", left.as_str(), right.as_str())),
        'o' => either?,
        '=' | '#' => either.map(|_| Type::BOOLEAN)?,
        '<' | '>' | 'l' | 'g' => match either? {
            Type::BOOLEAN | Type::Of(FieldType::Json) => return Err("only numbers, times and texts have an order".to_owned()),
            _ => Type::BOOLEAN,
        },
        '+' if left.is(Type::TEXT) && right.is(Type::TEXT) && either == Ok(Type::TEXT) => Type::TEXT,
        // The seconds between.
        '-' if left == Type::TIME && right == Type::TIME => Type::REAL,
        '/' if numbers => Type::REAL,
        _ if numbers => either?,
        _ => return Err(differ()),
    };
    // What is decided by the left side does not ask the right one.
    match letter {
        '&' => code.numbered('j', right_code.len() + 1),
        '|' => code.numbered('J', right_code.len() + 1),
        'o' => code.numbered('v', right_code.len() + 1),
        _ => {}
    }
    code.append(&right_code);
    code.op(letter);
    Ok((code, ty))
}
