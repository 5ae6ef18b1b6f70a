//! What an op says about itself.

/// Name and formulas of an op: shown by `inspect`, never used to compute.
#[derive(Debug)]
pub struct Rule {
    /// The op's function name.
    pub name: &'static str,
    /// The value, as a formula of the inputs.
    pub forward: &'static str,
    /// The gradient of each input, as a formula of the gradient of the value.
    pub vjp: &'static str,
}

/// A value that no op computed: an input, a constant, a parameter.
pub(super) static LEAF: Rule = Rule { name: "leaf", forward: "x", vjp: "" };

/// Writes the formulas of an op once, for its [`Rule`](crate::tape::Rule) and for its documentation.
///
/// `rule! { CUBE: "cube", forward: "y = x³", vjp: "x̄ = 3 ȳ x²" }` makes the
/// static `CUBE`, to be recorded, and `CUBE!()`, its formulas as text, to stand in the
/// documentation of the op: `#[doc = CUBE!()]`.
#[macro_export]
macro_rules! rule {
    ($rule:ident: $name:literal, forward: $forward:literal, vjp: $vjp:literal $(,)?) => {
        static $rule: $crate::tape::Rule =
            $crate::tape::Rule { name: $name, forward: $forward, vjp: $vjp };
        macro_rules! $rule {
            () => {
                ::core::concat!("\n```text\n", $forward, "\n", $vjp, "\n```\n")
            };
        }
    };
}
pub use crate::rule;
