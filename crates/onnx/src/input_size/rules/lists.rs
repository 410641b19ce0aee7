//! Operators with a list of sizes: Reshape, Slice, Resize, Expand.

use super::axes::Rule;
use crate::input_size::dim::{self, Dim};
use crate::input_size::edits::{Edit, Place};
use crate::input_size::not_resized::Obstacle;
use crate::shapes::{axis_slices, slice_length};

/// How far a factor may be from a whole number or the inverse of one.
const SCALE_TOLERANCE: f64 = 1e-6;

/// A node whose lists may need edits.
pub(super) struct Lists<'k, 'a, 'e> {
    pub rule: Rule<'k, 'a>,
    /// The index of the node in the graph.
    pub index: usize,
    pub edits: &'e mut Vec<Edit>,
}

impl Lists<'_, '_, '_> {
    /// Replaces a list, which is an attribute or an input.
    fn edit(&mut self, attribute: &'static str, input: usize, to: Vec<i64>) {
        let place = match self.rule.node.ints(attribute) {
            Some(_) => Place::Attribute(attribute),
            None => Place::Input(input),
        };
        self.edits.push(Edit {
            node: self.index,
            place,
            to,
        });
    }

    /// Returns a list that does not depend on the input's size; `None` if the graph computes it from
    /// sizes or it is left out.
    fn constant(&self, attribute: &str, input: usize) -> Option<Vec<i64>> {
        let Rule { known, node } = self.rule;
        if (node.input_name(input)).is_some_and(|name| known.computed.contains(name)) {
            return None;
        }
        known.native.setting(node, attribute, input)
    }

    /// A target that gives another shape than the regrouped one is replaced, even if the graph
    /// computes it, such as a computed batch beside native sides.
    pub fn reshape(&mut self) -> Result<Vec<Dim>, Obstacle> {
        let Rule { known, node } = self.rule;
        let input = self.rule.dims(0)?;
        let dims = self.rule.regrouped()?;
        let computed = known.resized.full_shape(&node.output[0]);
        if computed == Some(dim::resized(&dims)) {
            return Ok(dims);
        }
        let from = known.native.setting(node, "shape", 1);
        let from = from.ok_or(Obstacle::UnknownShape)?;
        let copies_zero = node.int("allowzero", 0) == 0;
        let to: Option<Vec<i64>> = from
            .iter()
            .zip(&dims)
            .enumerate()
            .map(|(axis, (&entry, dim))| match entry {
                // the rest
                -1 => Some(-1),
                // a copy of the input's
                0 if copies_zero && input.get(axis).map(Dim::resized) == Some(dim.resized()) => {
                    Some(0)
                }
                _ => i64::try_from(dim.resized()).ok(),
            })
            .collect();
        self.edit("shape", 1, to.ok_or(Obstacle::UnknownShape)?);
        Ok(dims)
    }

    /// A slice of a side must begin at its begin or count from its end: `[::2]`, `[:-1]`. An end at
    /// the native size stands for the end of the side.
    pub fn slice(&mut self) -> Result<Vec<Dim>, Obstacle> {
        let Rule { known, node } = self.rule;
        let input = self.rule.dims(0)?;
        let (Some(_), Some(mut ends)) = (self.constant("starts", 1), self.constant("ends", 2))
        else {
            return Ok(self.rule.along_axes()?.swap_remove(0));
        };
        let shape: Vec<Option<u64>> = input.iter().map(|dim| Some(dim.native())).collect();
        let slices = axis_slices(node, &known.native, &shape).ok_or(Obstacle::UnknownShape)?;
        let from = ends.clone();
        let mut dims = input.to_vec();
        for (slice, end) in slices.iter().zip(&mut ends) {
            let dim = &mut dims[slice.axis];
            let native = slice.length.ok_or(Obstacle::UnknownShape)?;
            if !dim.is_spatial() {
                *dim = Dim::fixed(native);
                continue;
            }
            let (length, resized) = (dim.native(), dim.resized());
            let from_begin = slice.step > 0 && (slice.start <= 0 || slice.start < slice.step);
            let to_end = slice.end < 0 || u64::try_from(slice.end).is_ok_and(|end| end >= length);
            if !from_begin || !to_end {
                return Err(Obstacle::Cuts { length });
            }
            if let Ok(limit) = i64::try_from(resized)
                && (*end == length as i64 || (*end >= 0 && *end < limit))
            {
                *end = limit;
            }
            let kept = slice_length(resized.into(), slice.start, *end, slice.step);
            let kept = kept.ok_or(Obstacle::UnknownShape)?;
            if (native, kept) != (length, resized) {
                *dim = Dim::spatial(native, kept);
            }
        }
        if ends != from {
            self.edit("ends", 2, ends);
        }
        Ok(dims)
    }

    /// A size of a side must be a multiple of the input's or a whole part of it.
    pub fn resize(&mut self) -> Result<Vec<Dim>, Obstacle> {
        let Rule { node, .. } = self.rule;
        let input = self.rule.dims(0)?;
        let Some(from) = node.input_name(3).and_then(|_| self.constant("", 3)) else {
            self.check_scales(input)?;
            return Ok(self.rule.along_axes()?.swap_remove(0));
        };
        if from.len() != input.len() {
            return Err(Obstacle::UnknownShape);
        }
        let mut dims = Vec::with_capacity(input.len());
        for (dim, &size) in input.iter().zip(&from) {
            let size = u64::try_from(size).map_err(|_| Obstacle::UnknownShape)?;
            dims.push(if dim.is_spatial() {
                scaled(dim, size)?
            } else {
                Dim::fixed(size)
            });
        }
        let sizes = (dims.iter()).map(|dim| i64::try_from(dim.resized()).ok());
        let to: Option<Vec<i64>> = sizes.collect();
        let to = to.ok_or(Obstacle::UnknownShape)?;
        if to != from {
            self.edit("", 3, to);
        }
        Ok(dims)
    }

    /// Checks that constant factors scale every side to a whole multiple or part.
    fn check_scales(&self, input: &[Dim]) -> Result<(), Obstacle> {
        let Rule { known, node } = self.rule;
        let scales = match node.attribute("scales") {
            Some(attribute) => attribute.floats.as_slice(),
            None => {
                let name = node.input_name(if node.input.len() > 2 { 2 } else { 1 });
                name.and_then(|name| known.native.floats(name))
                    .unwrap_or_default()
            }
        };
        let output = self.rule.native_output()?;
        for ((dim, &scale), to) in input.iter().zip(scales).zip(output) {
            let scale = f64::from(scale).max(f64::from(scale).recip());
            if dim.is_spatial() && (scale - scale.round()).abs() > SCALE_TOLERANCE * scale {
                return Err(Obstacle::Scale {
                    from: dim.native(),
                    to,
                    resized: dim.resized(),
                });
            }
        }
        Ok(())
    }

    /// A size that equals the input's side is a copy of it.
    pub fn expand(&mut self) -> Result<Vec<Dim>, Obstacle> {
        let input = self.rule.dims(0)?;
        let output = self.rule.native_output()?;
        let Some(from) = self.constant("", 1) else {
            return self.expand_to_computed(input, &output);
        };
        let mut dims: Vec<Dim> = output.iter().copied().map(Dim::fixed).collect();
        let offset = dims.len().saturating_sub(input.len());
        for (expanded, dim) in dims[offset..].iter_mut().zip(input) {
            if dim.is_spatial() && dim.native() == 1 {
                return Err(Obstacle::UnitSide {
                    from: dim::native(input),
                    to: output,
                });
            }
            if dim.is_spatial() {
                *expanded = dim.clone();
            }
        }
        let mut to = from.clone();
        let offset = dims.len().saturating_sub(to.len());
        for (size, dim) in to.iter_mut().zip(&dims[offset..]) {
            // a 1 keeps the input's
            if *size != 1 && dim.is_spatial() {
                *size = i64::try_from(dim.resized()).map_err(|_| Obstacle::UnknownShape)?;
            }
        }
        if to != from {
            self.edit("", 1, to);
        }
        Ok(dims)
    }

    fn expand_to_computed(&self, input: &[Dim], native: &[u64]) -> Result<Vec<Dim>, Obstacle> {
        let Rule { known, node } = self.rule;
        let resized = known.resized.full_shape(&node.output[0]);
        let resized = resized.ok_or_else(|| self.rule.misfit())?;
        let before = native.len().saturating_sub(input.len());
        let sizes = native.iter().zip(resized).enumerate();
        let dim = |(axis, (&native, resized)): (usize, (&u64, u64))| {
            let dim = axis.checked_sub(before).and_then(|axis| input.get(axis));
            match dim {
                Some(dim) if (dim.native(), dim.resized()) == (native, resized) => dim.clone(),
                _ if native == resized => Dim::uncertain(native),
                _ => Dim::spatial(native, resized),
            }
        };
        Ok(sizes.map(dim).collect())
    }
}

/// Returns a side that is resized to `size` at the native input size.
fn scaled(dim: &Dim, size: u64) -> Result<Dim, Obstacle> {
    let (from, resized) = (dim.native(), dim.resized());
    let scaled = if from == size {
        return Ok(dim.clone());
    } else if from > 0 && size.is_multiple_of(from) {
        resized.checked_mul(size / from)
    } else if size > 0 && from.is_multiple_of(size) && resized.is_multiple_of(from / size) {
        Some(resized / (from / size))
    } else {
        None
    };
    let scaled = scaled.ok_or(Obstacle::Scale {
        from,
        to: size,
        resized,
    })?;
    Ok(Dim::spatial(size, scaled))
}
