//! The macro that declares models.

use super::{Field, Rule};

/// Declares models: a struct and its description for each. A field is `name: RustType = rule`; after the name stand those of the flags
/// `strict`, `closed` and `mutable` that are set, and `with part: Model` if all fields of another model come first; after the fields stands
/// the function that looks at them together, if there is one.
macro_rules! models {
    ($(
        $(#[doc = $summary:literal])+
        $name:ident $(($($option:ident),+))? $(with $part:ident: $base:ident)? {
            $($(#[doc = $about:literal])* $field:ident: $type:ty = $rule:expr,)+
        } $(checked by $check:ident)?
    )+) => {$(
        $(#[doc = $summary])+
        #[derive(Clone, PartialEq, serde::Deserialize, serde::Serialize)]
        #[allow(missing_docs, reason = "a field whose name says all has no more words")]
        pub struct $name {
            $(
                #[doc = concat!("What it has in common with [`", stringify!($base), "`].")]
                #[serde(flatten)]
                pub $part: $base,
            )?
            $($(#[doc = $about])* pub $field: $type,)+
        }

        impl $name {
            /// Its description, for those who refer to it in a constant.
            pub const MODEL: &'static $crate::model::Model = &{
                const OWN: &[$crate::model::Field] = &[$($crate::model::Field {
                    name: $crate::model::declare::bare(stringify!($field)),
                    summary: concat!($($about, "\n"),*),
                    rule: $rule,
                }),+];
                #[allow(unused_mut, unused_assignments, reason = "most models have no base")]
                const BASE: Option<&'static $crate::model::Model> = {
                    let mut base = None;
                    $(base = Some($base::MODEL);)?
                    base
                };
                const INHERITED: &[$crate::model::Field] = match BASE {
                    Some(base) => base.fields,
                    None => &[],
                };
                const FIELDS: &[$crate::model::Field] =
                    &$crate::model::declare::joined::<{ INHERITED.len() + OWN.len() }>(INHERITED, OWN);
                #[allow(unused_mut, reason = "a model without flags changes nothing")]
                let mut model = $crate::model::Model {
                    name: stringify!($name),
                    summary: concat!($($summary, "\n"),+),
                    strict: false,
                    closed: false,
                    mutable: false,
                    base: BASE,
                    fields: FIELDS,
                    check: match BASE {
                        Some(base) => base.check,
                        None => None,
                    },
                };
                $($(model.$option = true;)+)?
                $(model.check = Some($check);)?
                model
            };
        }

        impl $crate::model::Described for $name {
            const MODEL: &'static $crate::model::Model = $name::MODEL;
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut shown = f.debug_struct(stringify!($name));
                $(shown.field(stringify!($part), &self.$part);)?
                $({
                    const SECRET: bool = $rule.secret;
                    if SECRET { shown.field(stringify!($field), &"[redacted]") } else { shown.field(stringify!($field), &self.$field) };
                })+
                shown.finish()
            }
        }
    )+};
}

pub(super) use models;

/// A field's name without the mark of one that Rust uses for something else.
pub(super) const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// The fields of a model and of the one that it is made of.
pub(super) const fn joined<const N: usize>(inherited: &[Field], own: &[Field]) -> [Field; N] {
    let mut all = [Field { name: "", summary: "", rule: Rule::any() }; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < inherited.len() { inherited[at] } else { own[at - inherited.len()] };
        at += 1;
    }
    all
}
