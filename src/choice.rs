//! Enums whose values users type by name, and the error for an unknown name.

use crate::error::{Error, near};

/// An enum whose values have names that users type: one table for parsing, printing, listing, errors.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $what:literal: $($(#[doc = $about:literal])* $value:ident = $text:literal,)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[doc = $about])* $value,)+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// As it is typed and written to files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            #[allow(dead_code)] // no list shows the choices of an importer
            /// The first line of its documentation.
            pub fn about(self) -> &'static str {
                let about = match self {
                    $(Self::$value => [$($about),*][0],)+
                };
                about.trim_start()
            }

            /// The value of that name; the error names all, and the nearest if it is near.
            pub fn parse(name: &str) -> $crate::error::Result<Self> {
                match Self::ALL.iter().find(|value| value.name() == name) {
                    Some(value) => Ok(*value),
                    None => Err($crate::choice::unknown($what, name, <Self as $crate::choice::Words>::WORDS)),
                }
            }
        }

        impl $crate::choice::Words for $name {
            const WORDS: &'static [&'static str] = &[$($text),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::parse(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use choice;

/// The names that users type for the values of a type.
pub trait Words {
    /// All of them, in the order of declaration.
    const WORDS: &'static [&'static str];
}

/// The error for a `name` that is not among those that are `known`.
pub(crate) fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let all = known.join(", ");
    Error::usage(match near(name, known.iter().copied()) {
        Some(near) => format!("unknown {what} `{name}`: did you mean `{near}` (of {all})?"),
        None => format!("unknown {what} `{name}`: want one of {all}"),
    })
}
