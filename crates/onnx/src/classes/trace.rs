//! Follows the class scores from the outputs back to the convolutions that compute them.

use std::collections::{HashMap, HashSet};

use super::{ClassCut, NotCut};
use crate::OnnxModel;
use crate::input_size::edits::{Edit, Place};
use crate::proto::NodeProto;
use crate::shapes::{InferredShapes, Shape, axis_within};

/// Where a value has the class scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    axis: usize,
    /// The index of class 0 along the axis.
    first: usize,
}

/// The way of the class scores through a graph.
pub(super) struct Trace<'a> {
    /// The constants that hold the number of classes, with their new content.
    pub edits: Vec<Edit>,
    /// The convolutions that compute class scores, by node: the row of class 0.
    pub layers: HashMap<usize, usize>,
    model: &'a OnnxModel,
    shapes: &'a InferredShapes<'a>,
    cut: ClassCut<'a>,
    values: HashMap<&'a str, Columns>,
}

impl<'a> Trace<'a> {
    /// Follows the classes of a network.
    ///
    /// # Errors
    /// The first node that does more with the scores than move them or take their sigmoid, or that
    /// needs all classes.
    pub fn follow(
        model: &'a OnnxModel,
        shapes: &'a InferredShapes<'a>,
        cut: ClassCut<'a>,
    ) -> Result<Self, NotCut> {
        let mut writers = HashMap::new();
        for (index, node) in model.graph.node.iter().enumerate() {
            writers.extend(node.output.iter().map(|output| (output.as_str(), index)));
        }
        let mut trace = Self {
            edits: Vec::new(),
            layers: HashMap::new(),
            model,
            shapes,
            cut,
            values: HashMap::new(),
        };
        let mut todo = Vec::new();
        for output in cut.outputs {
            todo.push((output.as_str(), trace.output(output)?));
        }
        let mut passed = HashSet::new();
        while let Some((value, columns)) = todo.pop() {
            let Some(&index) = writers.get(value) else {
                let value = value.to_owned();
                return Err(NotCut::NoWriter { value });
            };
            let node = &model.graph.node[index];
            match trace.values.insert(value, columns) {
                None => {}
                Some(before) if before == columns => continue,
                Some(_) => return Err(NotCut::blocked(node, "its scores are read in two ways")),
            }
            let inputs = trace.step(index, value, columns);
            let inputs = inputs.map_err(|reason| NotCut::blocked(node, reason))?;
            passed.insert(index);
            todo.extend(inputs);
        }
        trace.check_readers(&passed)?;
        Ok(trace)
    }

    /// Returns the shapes of all values with class scores after the cut.
    pub fn shapes_after(&self) -> HashMap<String, Shape> {
        let after = |(&value, columns): (&&str, &Columns)| {
            let mut shape = self.shapes.shape(value)?.clone();
            let dim = shape.get_mut(columns.axis)?;
            *dim = dim.map(|dim| dim.saturating_sub(self.fewer() as u64));
            Some((value.to_owned(), shape))
        };
        self.values.iter().filter_map(after).collect()
    }

    /// Returns the number of classes that are not kept.
    fn fewer(&self) -> usize {
        self.cut.classes - self.cut.kept.len()
    }

    fn output(&self, name: &str) -> Result<Columns, NotCut> {
        let is_output = self.model.graph.output.iter().any(|o| o.name == name);
        let shape = self.shapes.shape(name).filter(|_| is_output);
        let columns = shape.and_then(|shape| Some((shape.len() - 1, shape.last().copied()??)));
        match columns {
            Some((axis, columns)) if columns >= self.cut.classes as u64 => {
                Ok(Columns { axis, first: 0 })
            }
            _ => Err(NotCut::Output {
                output: name.to_owned(),
                classes: self.cut.classes,
                found: shape.cloned(),
            }),
        }
    }

    /// Returns the inputs from which the node takes the scores of `value`.
    fn step(
        &mut self,
        index: usize,
        value: &'a str,
        columns: Columns,
    ) -> Result<Vec<(&'a str, Columns)>, &'static str> {
        let node = &self.model.graph.node[index];
        let input = node.input_name(0).ok_or("it has no input")?;
        let Columns { axis, first } = columns;
        match node.op_type.as_str() {
            "Sigmoid" | "Identity" => Ok(vec![(input, columns)]),
            "Transpose" => {
                let axis = node.ints("perm").and_then(|perm| perm.get(axis).copied());
                let axis = axis.and_then(|axis| usize::try_from(axis).ok());
                let axis = axis.ok_or("expected a perm of all axes")?;
                Ok(vec![(input, Columns { axis, first })])
            }
            "Reshape" => self.reshape(index, input, value, columns),
            "Concat" => self.concat(node, columns),
            "Split" => self.split(index, input, value, columns),
            "Conv" if axis == 1 && node.int("group", 1) == 1 => {
                self.layers.insert(index, first);
                Ok(Vec::new())
            }
            "Conv" => Err("expected a convolution that computes each class from all channels"),
            "Softmax" => Err("the score of a class depends on all classes"),
            _ => Err(
                "expected Concat, Conv, Identity, Reshape, Sigmoid, Split or Transpose between the outputs and the \
                 class layer",
            ),
        }
    }

    /// Finds the axis of the input that the Reshape keeps as that of the classes.
    fn reshape(
        &mut self,
        node: usize,
        input: &'a str,
        value: &str,
        Columns { axis, first }: Columns,
    ) -> Result<Vec<(&'a str, Columns)>, &'static str> {
        let unknown = "expected known shapes";
        let from = self.shapes.full_shape(input).ok_or(unknown)?;
        let to = self.shapes.full_shape(value).ok_or(unknown)?;
        let outer = |shape: &[u64]| shape.iter().fold(1u64, |all, &dim| all.saturating_mul(dim));
        let kept = (0..from.len()).find(|&at| {
            Some(&from[at]) == to.get(axis) && outer(&from[..at]) == outer(&to[..axis])
        });
        let kept = kept.ok_or("it splits the classes or joins them with other axes")?;
        let shape = self.model.graph.node[node].input_name(1);
        let shape = shape.and_then(|name| self.shapes.full_list(name));
        let mut shape = shape.ok_or("expected a constant shape")?;
        let fewer = self.fewer() as i64;
        // 0 copies the dimension and -1 stands for what is left: both hold for other numbers, too
        match shape.get_mut(axis) {
            Some(dim) if *dim > 0 => {
                *dim -= fewer;
                self.edits.push(Edit {
                    node,
                    place: Place::Input(1),
                    to: shape,
                });
            }
            Some(0) if kept != axis => return Err("it copies the number of classes"),
            _ => {}
        }
        Ok(vec![(input, Columns { axis: kept, first })])
    }

    fn concat(
        &self,
        node: &'a NodeProto,
        columns: Columns,
    ) -> Result<Vec<(&'a str, Columns)>, &'static str> {
        let mut inputs = Vec::with_capacity(node.input.len());
        let mut start = 0;
        for input in &node.input {
            let shape = self.shapes.shape(input).ok_or("expected known shapes")?;
            if axis_within(node.int("axis", 0), shape.len()) != Some(columns.axis) {
                inputs.push((input.as_str(), columns));
                continue;
            }
            let length = shape[columns.axis].ok_or("expected known shapes")? as usize;
            if let Some(first) = columns.first.checked_sub(start)
                && first.saturating_add(self.cut.classes) <= length
            {
                inputs.push((input.as_str(), Columns { first, ..columns }));
            }
            start = start.saturating_add(length);
        }
        if inputs.is_empty() {
            return Err("it joins the classes from several values");
        }
        Ok(inputs)
    }

    fn split(
        &mut self,
        index: usize,
        input: &'a str,
        value: &str,
        columns: Columns,
    ) -> Result<Vec<(&'a str, Columns)>, &'static str> {
        let node = &self.model.graph.node[index];
        let rank = self.shapes.shape(input).map(Vec::len);
        let axis = axis_within(node.int("axis", 0), rank.ok_or("expected known shapes")?);
        if axis != Some(columns.axis) {
            return Err("it splits another axis than that of the classes");
        }
        let lengths = "expected the lengths of its parts";
        let (place, mut parts) = match node.ints("split") {
            Some(parts) => (Place::Attribute("split"), parts.to_vec()),
            None => {
                let parts = node.input_name(1).ok_or(lengths)?;
                let parts = self.shapes.full_list(parts).ok_or(lengths)?;
                (Place::Input(1), parts)
            }
        };
        let part = node.output.iter().position(|output| output == value);
        let part = part.ok_or(lengths)?;
        let mut before = parts.get(..part).ok_or(lengths)?.iter();
        let before = before.try_fold(0usize, |sum, &length| {
            sum.checked_add(usize::try_from(length).ok()?)
        });
        let before = before.ok_or(lengths)?;
        let length = parts.get_mut(part).ok_or(lengths)?;
        *length = length.saturating_sub(self.fewer() as i64);
        self.edits.push(Edit {
            node: index,
            place,
            to: parts,
        });
        let first = before.saturating_add(columns.first);
        Ok(vec![(input, Columns { first, ..columns })])
    }

    /// Checks that nothing else reads the scores: `passed` are the nodes on their way.
    fn check_readers(&self, passed: &HashSet<usize>) -> Result<(), NotCut> {
        for (index, node) in self.model.graph.node.iter().enumerate() {
            let has_scores = |name: &String| self.values.contains_key(name.as_str());
            if node.input.iter().any(has_scores)
                && (!passed.contains(&index) || self.layers.contains_key(&index))
            {
                let reason = "it reads all classes and leads to no output with class scores";
                return Err(NotCut::blocked(node, reason));
            }
        }
        for output in &self.model.graph.output {
            if self.values.contains_key(output.name.as_str())
                && !self.cut.outputs.contains(&output.name)
            {
                let output = output.name.clone();
                return Err(NotCut::OtherOutput { output });
            }
        }
        Ok(())
    }
}
