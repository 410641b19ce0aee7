//! A dimension at the native and at the new input size.

/// A part of a dimension that no Reshape has divided so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor {
    pub native: u64,
    pub resized: u64,
    /// Whether the input's height or width determines it, even if both sizes are equal.
    pub spatial: bool,
}

/// One dimension of a value: the product of its factors, the outermost first. Sides of a map stay
/// factors when a Reshape merges them, so that a later one can separate them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dim {
    /// None of them is a fixed 1, and no two neighbours are fixed.
    factors: Vec<Factor>,
    /// Whether a side that is equal at both sizes may be among the fixed factors.
    uncertain: bool,
}

impl Dim {
    /// Makes a dimension that the input's size does not change.
    pub fn fixed(size: u64) -> Self {
        let mut dim = Self::default();
        dim.push(Factor {
            native: size,
            resized: size,
            spatial: false,
        });
        dim
    }

    /// Makes a dimension that depends on the input's size.
    pub fn spatial(native: u64, resized: u64) -> Self {
        let mut dim = Self::default();
        dim.push(Factor {
            native,
            resized,
            spatial: true,
        });
        dim
    }

    /// Makes a dimension that the graph computes and that is equal at both sizes: a side, or one that
    /// never changes.
    pub fn uncertain(size: u64) -> Self {
        Self {
            uncertain: true,
            ..Self::fixed(size)
        }
    }

    /// Adds an inner factor.
    pub fn push(&mut self, factor: Factor) {
        match self.factors.last_mut() {
            _ if !factor.spatial && factor.native == 1 => {}
            Some(last) if !last.spatial && !factor.spatial => {
                last.native = last.native.saturating_mul(factor.native);
                last.resized = last.native;
            }
            _ => self.factors.push(factor),
        }
    }

    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    pub fn native(&self) -> u64 {
        (self.factors.iter()).fold(1, |product, factor| product.saturating_mul(factor.native))
    }

    pub fn resized(&self) -> u64 {
        (self.factors.iter()).fold(1, |product, factor| product.saturating_mul(factor.resized))
    }

    /// Returns whether the dimension depends on the input's size.
    pub fn is_spatial(&self) -> bool {
        self.factors.iter().any(|factor| factor.spatial)
    }

    /// Returns whether the dimension is 1 at every size.
    pub fn is_one(&self) -> bool {
        self.factors.is_empty()
    }

    /// Returns whether both dimensions are equal at both sizes, and may be of one kind.
    pub fn agrees(&self, other: &Self) -> bool {
        self.native() == other.native()
            && self.resized() == other.resized()
            && (self.uncertain || other.uncertain || self.is_spatial() == other.is_spatial())
    }
}

/// Returns the sizes at the native input size.
pub(super) fn native(dims: &[Dim]) -> Vec<u64> {
    dims.iter().map(Dim::native).collect()
}

/// Returns the sizes at the new input size.
pub(super) fn resized(dims: &[Dim]) -> Vec<u64> {
    dims.iter().map(Dim::resized).collect()
}

/// Returns whether any dimension depends on the input's size.
pub(super) fn any_spatial(dims: &[Dim]) -> bool {
    dims.iter().any(Dim::is_spatial)
}
