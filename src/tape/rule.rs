//! What an op says about itself.

/// Name and formulas of an op: shown by `inspect`, never used to compute.
#[derive(Debug)]
pub struct Rule {
    /// The op's function name.
    pub name: &'static str,
    /// The value, as a formula of the inputs.
    pub forward: &'static str,
    /// The gradient of each input, as a formula of the value's gradient.
    pub vjp: &'static str,
}

/// A value that no op computed: an input, a constant, a parameter.
pub(super) static LEAF: Rule = Rule { name: "leaf", forward: "x", vjp: "" };
