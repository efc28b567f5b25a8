//! How one field is read.

use super::Model;

/// The rule of one field. Made by the constructors below and narrowed by the methods after them, all of which work in constants.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The type.
    pub kind: Kind,
    /// What stands in for a missing value.
    pub default: Default,
    /// Whether null is a value of the field.
    pub nullable: bool,
    /// What happens to a value of another type.
    pub wrong: Wrong,
    /// Smallest number, fewest characters, or fewest entries of a list.
    pub least: Option<u32>,
    /// Most characters.
    pub most: Option<u32>,
    /// Whether a boolean or a number is read strictly in a model that is not strict.
    pub strict: bool,
    /// Whether the value opens something, so that no printed form shows it.
    pub secret: bool,
    /// Whether the value stands in no dump of the model.
    pub hidden: bool,
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// One of some texts.
    OneOf(&'static [&'static str]),
    /// Text that must be an ISO 8601 date or time; kept as it is.
    IsoText,
    /// A bare `https` origin, see [`crate::origin::is_bare_https`].
    Origin,
    /// A point in time.
    Time,
    /// A UUID in any spelling.
    Uuid,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// A list of texts.
    Texts,
    /// A list of texts that are not empty, which never changes.
    TextTuple,
    /// An object whose values are texts.
    TextMap,
    /// A list of objects whose values are texts.
    TextMaps,
    /// Bytes as base64 text with its padding.
    Base64,
    /// An object that nobody looks into.
    Map,
    /// A list of such objects.
    Maps,
    /// Any JSON.
    Any,
    /// Another model.
    Model(&'static Model),
    /// A list of another model.
    Models(&'static Model),
    /// An object whose values are another model.
    ModelMap(&'static Model),
    /// A list whose elements never change.
    Tuple(&'static Model),
    /// A list of several models, each chosen by a member that names it.
    Either(&'static Choice),
}

/// Several models that one member tells apart. Each has that member with one possible value.
#[derive(Debug)]
pub struct Choice {
    /// Name of the union of them.
    pub name: &'static str,
    /// What they are together.
    pub summary: &'static str,
    /// The member.
    pub by: &'static str,
    /// The models.
    pub models: &'static [&'static Model],
}

/// What a field is when its value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// A missing value is a fault.
    Required,
    /// Null.
    Null,
    /// Zero.
    Zero,
    /// False.
    False,
    /// A text.
    Text(&'static str),
    /// An empty list.
    EmptyList,
    /// An empty object.
    EmptyMap,
    /// The present moment.
    Now,
}

/// What happens to a value that is not of the field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is a fault, and so is null unless the field is nullable.
    Fails,
    /// It counts as missing. The type is then taken strictly.
    Dropped,
    /// Anything but a list counts as missing; a list with an element of a wrong type is a fault.
    DroppedUnlessList,
    /// Anything but a list counts as missing; elements of a wrong type are left out of a list.
    ElementsDropped,
    /// Blank text counts as missing; a value of another type is a fault.
    BlankDropped,
}

impl Rule {
    const fn of(kind: Kind) -> Self {
        Self {
            kind,
            default: Default::Required,
            nullable: false,
            wrong: Wrong::Fails,
            least: None,
            most: None,
            strict: false,
            secret: false,
            hidden: false,
        }
    }

    /// Text.
    pub const fn text() -> Self {
        Self::of(Kind::Text)
    }

    /// Text that is not empty.
    pub const fn filled() -> Self {
        Self::text().least(1)
    }

    /// One of some texts.
    pub const fn one_of(values: &'static [&'static str]) -> Self {
        Self::of(Kind::OneOf(values))
    }

    /// The one text that the field can be, which it also is when it is missing: how a union's members are told apart.
    pub const fn always(value: &'static [&'static str; 1]) -> Self {
        let mut rule = Self::of(Kind::OneOf(value));
        rule.default = Default::Text(value[0]);
        rule
    }

    /// ISO 8601 text.
    pub const fn iso_text() -> Self {
        Self::of(Kind::IsoText)
    }

    /// A point in time.
    pub const fn time() -> Self {
        Self::of(Kind::Time)
    }

    /// The moment in which the model is made, unless it is given.
    pub const fn now() -> Self {
        let mut rule = Self::of(Kind::Time);
        rule.default = Default::Now;
        rule
    }

    /// A UUID.
    pub const fn uuid() -> Self {
        Self::of(Kind::Uuid)
    }

    /// A whole number.
    pub const fn whole() -> Self {
        Self::of(Kind::Whole)
    }

    /// A number.
    pub const fn number() -> Self {
        Self::of(Kind::Number)
    }

    /// A boolean.
    pub const fn flag() -> Self {
        Self::of(Kind::Flag)
    }

    /// A boolean that is false when it is missing.
    pub const fn flag_or_false() -> Self {
        let mut rule = Self::flag();
        rule.default = Default::False;
        rule
    }

    /// A list of texts.
    pub const fn texts() -> Self {
        Self::of(Kind::Texts)
    }

    /// A list of texts that is empty when it is missing.
    pub const fn texts_or_empty() -> Self {
        Self::texts().or_empty()
    }

    /// A list of texts that are not empty, which never changes.
    pub const fn text_tuple() -> Self {
        Self::of(Kind::TextTuple)
    }

    /// An object of texts.
    pub const fn text_map() -> Self {
        Self::of(Kind::TextMap)
    }

    /// A list of objects of texts.
    pub const fn text_maps() -> Self {
        Self::of(Kind::TextMaps)
    }

    /// An object.
    pub const fn map() -> Self {
        Self::of(Kind::Map)
    }

    /// A list of objects.
    pub const fn maps() -> Self {
        Self::of(Kind::Maps)
    }

    /// Bytes as base64 text.
    pub const fn base64() -> Self {
        Self::of(Kind::Base64)
    }

    /// Any JSON.
    pub const fn any() -> Self {
        Self::of(Kind::Any)
    }

    /// A bare `https` origin, or null for anything else.
    pub const fn origin() -> Self {
        Self::of(Kind::Origin).or_null().dropped()
    }

    /// A model.
    pub const fn model(model: &'static Model) -> Self {
        Self::of(Kind::Model(model))
    }

    /// A list of a model.
    pub const fn models(model: &'static Model) -> Self {
        Self::of(Kind::Models(model))
    }

    /// An object whose values are a model.
    pub const fn model_map(model: &'static Model) -> Self {
        Self::of(Kind::ModelMap(model))
    }

    /// A list of a model that is empty when it is missing, and never changes.
    pub const fn tuple(model: &'static Model) -> Self {
        Self::of(Kind::Tuple(model)).or_empty()
    }

    /// A list of several models.
    pub const fn either(choice: &'static Choice) -> Self {
        Self::of(Kind::Either(choice))
    }

    /// Null is a value, and what the field is when it is missing.
    pub const fn or_null(mut self) -> Self {
        self.nullable = true;
        self.default = Default::Null;
        self
    }

    /// Null is a value, but the field must be there.
    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// An empty list when it is missing.
    pub const fn or_empty(mut self) -> Self {
        self.default = Default::EmptyList;
        self
    }

    /// An empty object when it is missing.
    pub const fn or_empty_map(mut self) -> Self {
        self.default = Default::EmptyMap;
        self
    }

    /// Zero when it is missing.
    pub const fn or_zero(mut self) -> Self {
        self.default = Default::Zero;
        self
    }

    /// This text when it is missing.
    pub const fn or(mut self, text: &'static str) -> Self {
        self.default = Default::Text(text);
        self
    }

    /// A value of another type counts as missing.
    pub const fn dropped(mut self) -> Self {
        self.wrong = Wrong::Dropped;
        self
    }

    /// Anything but a list counts as missing.
    pub const fn dropped_unless_list(mut self) -> Self {
        self.wrong = Wrong::DroppedUnlessList;
        self
    }

    /// Anything but a list counts as missing, and so does each element that is no text.
    pub const fn elements_dropped(mut self) -> Self {
        self.wrong = Wrong::ElementsDropped;
        self
    }

    /// Blank text counts as missing.
    pub const fn blank_dropped(mut self) -> Self {
        self.wrong = Wrong::BlankDropped;
        self
    }

    /// The smallest number, the fewest characters, or the fewest entries of a list.
    pub const fn least(mut self, least: u32) -> Self {
        self.least = Some(least);
        self
    }

    /// The most characters.
    pub const fn most(mut self, most: u32) -> Self {
        self.most = Some(most);
        self
    }

    /// No printed form shows it.
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// No dump has it.
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
}
