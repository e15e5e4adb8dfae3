//! Names with texts (a query, a form, a path) as a type with `Deserialize`.

use form_urlencoded::parse;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// The fields in the order of their first appearance.
pub(super) struct Fields<'a>(Vec<Field<'a>>);

struct Field<'a> {
    name: Cow<'a, str>,
    values: Vec<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// `a=1&b=2`.
    pub(super) fn encoded(text: &'a [u8]) -> Self {
        let mut fields: Vec<Field<'a>> = Vec::new();
        for (name, value) in parse(text) {
            match fields.iter_mut().find(|field| field.name == name) {
                Some(field) => field.values.push(value),
                None => fields.push(Field {
                    name,
                    values: vec![value],
                }),
            }
        }
        Self(fields)
    }

    /// A path's parameters, as they were sent.
    pub(super) fn of_path(parameters: &'a [(Rc<str>, String)]) -> Result<Self, Fault> {
        let field = |(name, value): &'a (Rc<str>, String)| {
            let value = percent_encoding::percent_decode_str(value).decode_utf8();
            Ok(Field {
                name: Cow::Borrowed(&**name),
                values: vec![value.map_err(|_| Fault::custom("this is not UTF-8").of(name))?],
            })
        };
        parameters.iter().map(field).collect::<Result<_, _>>().map(Self)
    }

    fn only(mut self) -> Result<Value<'a>, Fault> {
        match (self.0.pop(), self.0.len()) {
            (Some(field), 0) => Ok(field.value()),
            (last, others) => Err(Fault::custom(format!(
                "there are {} values, and one is expected",
                others + usize::from(last.is_some())
            ))),
        }
    }

    fn values(self) -> SeqDeserializer<impl Iterator<Item = Value<'a>>, Fault> {
        SeqDeserializer::new(self.0.into_iter().map(Field::value))
    }
}

impl<'a> Field<'a> {
    fn value(self) -> Value<'a> {
        Value {
            name: self.name,
            texts: self.values,
        }
    }
}

/// What was wrong, and with which field.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    reason: String,
}

impl Fault {
    fn of(self, field: &str) -> Self {
        Self {
            field: self.field.or_else(|| Some(field.to_owned())),
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "`{field}`: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self {
            field: None,
            reason: reason.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is missing"))
    }
}

macro_rules! only_value {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.only()?.$method(visitor)
        }
    )*};
}

/// All of them are a map; their values are a sequence; the only one is a value.
impl<'de> Deserializer<'de> for Fields<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let fields = self.0.into_iter();
        visitor.visit_map(MapDeserializer::new(
            fields.map(|field| (field.name.clone(), field.value())),
        ))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.values())
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Fault> {
        if length != self.0.len() {
            let found = self.0.len();
            return Err(Fault::custom(format!(
                "there are {found} values, and {length} are expected"
            )));
        }
        visitor.visit_seq(self.values())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.only()?.deserialize_enum(name, variants, visitor)
    }

    only_value! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit_struct tuple_struct map struct identifier ignored_any
    }
}

/// What a field has: one text, or several.
struct Value<'a> {
    name: Cow<'a, str>,
    texts: Vec<Cow<'a, str>>,
}

impl<'a> IntoDeserializer<'a, Fault> for Value<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'a> Value<'a> {
    fn with<T>(mut self, read: impl FnOnce(Cow<'a, str>) -> Result<T, Fault>) -> Result<T, Fault> {
        let read = match (self.texts.pop(), self.texts.is_empty()) {
            (Some(text), true) => read(text),
            _ => Err(Fault::custom("it is given more than once")),
        };
        read.map_err(|fault| fault.of(&self.name))
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.with(|text| match text.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(Fault::custom(format!(concat!("expected ", $expected, ", found `{}`"), text))),
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.with(|text| match text {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        })
    }

    parsed! {
        deserialize_bool visit_bool "`true` or `false`";
        deserialize_i8 visit_i64 "a whole number";
        deserialize_i16 visit_i64 "a whole number";
        deserialize_i32 visit_i64 "a whole number";
        deserialize_i64 visit_i64 "a whole number";
        deserialize_u8 visit_u64 "a whole number from 0";
        deserialize_u16 visit_u64 "a whole number from 0";
        deserialize_u32 visit_u64 "a whole number from 0";
        deserialize_u64 visit_u64 "a whole number from 0";
        deserialize_f32 visit_f64 "a number";
        deserialize_f64 visit_f64 "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { name, texts } = self;
        let one = |text| Value {
            name: name.clone(),
            texts: vec![text],
        };
        visitor.visit_seq(SeqDeserializer::new(texts.into_iter().map(one)))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.with(|text| visitor.visit_enum(text.into_deserializer()))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}
