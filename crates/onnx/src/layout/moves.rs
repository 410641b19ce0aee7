//! Operators that move channels and compute nothing: Concat, Split, Slice, Gather, Reshape,
//! Transpose.

use std::collections::HashMap;

use thiserror::Error;

use super::view::ChannelView;
use crate::proto::NodeProto;
use crate::shapes::{InferredShapes, axis_slices};

/// Why the channels that a node reads are not followed to its outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Blocked {
    #[error("this operator does not only move channels")]
    OtherOperator,
    #[error("the channels of its input {input} are not followed")]
    UnfollowedInput { input: usize },
    #[error("its output's shape is not known")]
    UnknownShape,
    #[error("its axes or indices are not constant")]
    NotConstant,
    #[error("it works along an axis that does not hold channels")]
    OtherAxis,
    #[error("its indices are beyond the number of channels")]
    OutOfRange,
    #[error("it mixes channels with height or width")]
    MixesPixels,
    #[error("a Concat joins its output along pixels")]
    JoinedPixels,
    #[error("its inputs are not image tensors of one size")]
    SizesDiffer,
}

/// A node that could move channels, with the values and shapes known at its position.
pub(super) struct Mover<'a> {
    pub node: &'a NodeProto,
    pub views: &'a HashMap<&'a str, ChannelView>,
    pub shapes: &'a InferredShapes<'a>,
}

impl Mover<'_> {
    /// Returns the node's outputs as arrangements of the channels that it reads.
    ///
    /// # Errors
    /// The reason why the channels cannot be followed.
    pub fn outputs(&self) -> Result<Vec<ChannelView>, Blocked> {
        if !self.node.in_default_domain() {
            return Err(Blocked::OtherOperator);
        }
        match self.node.op_type.as_str() {
            "Concat" => self.concat().map(|view| vec![view]),
            "Split" => self.split(),
            "Slice" => self.slice().map(|view| vec![view]),
            "Gather" => self.gather().map(|view| vec![view]),
            "Reshape" => {
                let reshaped = self.view(0)?.reshaped(&self.output_shape(0)?);
                Ok(vec![reshaped.ok_or(Blocked::MixesPixels)?])
            }
            "Transpose" => {
                // without one it reverses all dimensions
                let perm = self.node.ints("perm").ok_or(Blocked::MixesPixels)?;
                let transposed = self.view(0)?.transposed(perm);
                Ok(vec![transposed.ok_or(Blocked::MixesPixels)?])
            }
            _ => Err(Blocked::OtherOperator),
        }
    }

    fn view(&self, input: usize) -> Result<&ChannelView, Blocked> {
        let name = self.node.input_name(input);
        name.and_then(|name| self.views.get(name))
            .ok_or(Blocked::UnfollowedInput { input })
    }

    fn output_shape(&self, output: usize) -> Result<Vec<u64>, Blocked> {
        let name = self.node.output.get(output);
        name.and_then(|name| self.shapes.full_shape(name))
            .ok_or(Blocked::UnknownShape)
    }

    /// Returns the axis on which the node works, if channels lie along it.
    fn axis(&self, default: i64) -> Result<usize, Blocked> {
        let first = self.view(0)?;
        let axis = self.node.int("axis", default);
        let axis = if axis < 0 {
            axis + first.rank() as i64
        } else {
            axis
        };
        usize::try_from(axis)
            .ok()
            .filter(|&axis| axis < first.lead.len())
            .ok_or(Blocked::OtherAxis)
    }

    fn concat(&self) -> Result<ChannelView, Blocked> {
        if self.axis(1)? != 1 {
            return Err(Blocked::OtherAxis);
        }
        let mut joined = self.view(0)?.clone();
        for input in 1..self.node.input.len() {
            let next = self.view(input)?;
            if !next.is_image() || !joined.is_image() || next.size != joined.size {
                return Err(Blocked::SizesDiffer);
            }
            joined.channels.extend_from_slice(&next.channels);
        }
        joined.lead[1] = joined.channels.len();
        Ok(joined)
    }

    fn split(&self) -> Result<Vec<ChannelView>, Blocked> {
        let axis = self.axis(0)?;
        let first = self.view(0)?;
        let mut start = 0usize;
        let part = |output: usize| {
            let shape = self.output_shape(output)?;
            let length = shape.get(axis).ok_or(Blocked::UnknownShape)?;
            let length = usize::try_from(*length).map_err(|_| Blocked::OutOfRange)?;
            let end = start.checked_add(length).ok_or(Blocked::OutOfRange)?;
            if end > first.lead[axis] {
                return Err(Blocked::OutOfRange);
            }
            let indices: Vec<usize> = (start..end).collect();
            start = end;
            first.picked(axis, &indices).ok_or(Blocked::OutOfRange)
        };
        (0..self.node.output.len()).map(part).collect()
    }

    fn slice(&self) -> Result<ChannelView, Blocked> {
        let mut view = self.view(0)?.clone();
        let shape = self
            .node
            .input_name(0)
            .and_then(|name| self.shapes.shape(name))
            .ok_or(Blocked::UnknownShape)?;
        let slices = axis_slices(self.node, self.shapes, shape).ok_or(Blocked::NotConstant)?;
        for slice in slices {
            let count = *view.lead.get(slice.axis).ok_or(Blocked::OtherAxis)?;
            let indices = slice.indices(count).ok_or(Blocked::OutOfRange)?;
            view = view
                .picked(slice.axis, &indices)
                .ok_or(Blocked::OutOfRange)?;
        }
        Ok(view)
    }

    fn gather(&self) -> Result<ChannelView, Blocked> {
        let axis = self.axis(0)?;
        let first = self.view(0)?;
        let name = self.node.input_name(1).ok_or(Blocked::NotConstant)?;
        let list = self.shapes.full_list(name).ok_or(Blocked::NotConstant)?;
        let count = first.lead[axis] as i64;
        let index = |&index: &i64| usize::try_from(if index < 0 { index + count } else { index });
        let indices: Vec<usize> = list
            .iter()
            .map(index)
            .collect::<Result<_, _>>()
            .map_err(|_| Blocked::OutOfRange)?;
        let mut view = first.picked(axis, &indices).ok_or(Blocked::OutOfRange)?;
        let shape = self.shapes.shape(name).ok_or(Blocked::UnknownShape)?;
        // a scalar index removes its axis
        if shape.is_empty() {
            view.lead.remove(axis);
        }
        Ok(view)
    }
}
