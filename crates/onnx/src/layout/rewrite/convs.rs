//! Writes convolutions with reordered rows and columns of weights.

use super::GraphWriter;
use crate::layout::limits::MAX_WEIGHTS;
use crate::layout::not_arranged::NotArranged;
use crate::proto::{NodeProto, TensorProto};
use crate::rewritable::NodeLabel;

/// A convolution over all channels, and the position of its input.
pub(super) struct ConvSource<'a> {
    pub node: &'a NodeProto,
    pub activation: Option<&'a NodeProto>,
    pub input: String,
    /// By channel of the input: the column of the old weights.
    pub columns: Vec<Option<usize>>,
}

impl GraphWriter<'_> {
    /// Writes the convolution with those rows of its weights, and zeros for the others, as
    /// `output`.
    pub(super) fn write_conv(
        &mut self,
        conv: &ConvSource<'_>,
        rows: &[Option<usize>],
        output: String,
    ) -> Result<(), NotArranged> {
        let node = conv.node;
        let (weights, old) = self.floats(node, 1)?;
        let unreadable = || NotArranged::weights(node, weights);
        let [_, old_columns, height, width] = dims(weights).ok_or_else(unreadable)?;
        let area = height.checked_mul(width).ok_or_else(unreadable)?;
        let mut new = zeros([rows.len(), conv.columns.len(), area]).ok_or_else(unreadable)?;
        for (row, old_row) in rows.iter().enumerate() {
            for (column, old_column) in conv.columns.iter().enumerate() {
                if let (Some(old_row), Some(old_column)) = (old_row, old_column) {
                    let from = (old_row * old_columns + old_column) * area;
                    let to = (row * conv.columns.len() + column) * area;
                    let kernel = old.get(from..from + area).ok_or_else(unreadable)?;
                    new[to..to + area].copy_from_slice(kernel);
                }
            }
        }
        let shape = [rows.len(), conv.columns.len(), height, width];
        let mut inputs = vec![conv.input.clone(), format!("{output}/weights")];
        self.initializers
            .push(TensorProto::from_floats(inputs[1].clone(), &shape, &new));
        inputs.extend(self.write_bias(node, rows, &output)?);
        let computed = match conv.activation {
            Some(_) => format!("{output}/linear"),
            None => output.clone(),
        };
        self.node(
            "Conv",
            inputs,
            vec![computed.clone()],
            node.attribute.clone(),
        );
        if let Some(activation) = conv.activation {
            let attributes = activation.attribute.clone();
            self.node(
                &activation.op_type,
                vec![computed],
                vec![output],
                attributes,
            );
        }
        Ok(())
    }

    /// Reorders the weights of `node` into `copy`, a depthwise convolution, by those rows.
    pub(super) fn order_depthwise(
        &mut self,
        node: &NodeProto,
        copy: &mut NodeProto,
        rows: &[Option<usize>],
        output: &str,
    ) -> Result<(), NotArranged> {
        let (weights, old) = self.floats(node, 1)?;
        let unreadable = || NotArranged::weights(node, weights);
        let Some([_, 1, height, width]) = dims(weights) else {
            return Err(unreadable());
        };
        let area = height.checked_mul(width).ok_or_else(unreadable)?;
        let mut new = zeros([rows.len(), 1, area]).ok_or_else(unreadable)?;
        for (kernel, row) in new.chunks_exact_mut(area.max(1)).zip(rows) {
            if let Some(row) = row {
                let old = old.get(row * area..(row + 1) * area);
                kernel.copy_from_slice(old.ok_or_else(unreadable)?);
            }
        }
        let name = format!("{output}/weights");
        let shape = [rows.len(), 1, height, width];
        self.initializers
            .push(TensorProto::from_floats(name.clone(), &shape, &new));
        copy.input.truncate(1);
        copy.input.push(name);
        copy.input.extend(self.write_bias(node, rows, output)?);
        for attribute in copy.attribute.iter_mut().filter(|a| a.name == "group") {
            attribute.i = Some(rows.len() as i64);
        }
        Ok(())
    }

    /// Writes the bias of those rows and returns its name; `None` if the convolution has no bias.
    fn write_bias(
        &mut self,
        node: &NodeProto,
        rows: &[Option<usize>],
        output: &str,
    ) -> Result<Option<String>, NotArranged> {
        if node.input_name(2).is_none() {
            return Ok(None);
        }
        let (bias, old) = self.floats(node, 2)?;
        let new: Option<Vec<f32>> = rows
            .iter()
            .map(|row| row.map_or(Some(0.0), |row| old.get(row).copied()))
            .collect();
        let new = new.ok_or_else(|| NotArranged::weights(node, bias))?;
        let name = format!("{output}/bias");
        self.initializers
            .push(TensorProto::from_floats(name.clone(), &[new.len()], &new));
        Ok(Some(name))
    }
}

impl<'a> GraphWriter<'a> {
    /// Returns a constant input of a convolution and its content.
    fn floats(
        &self,
        node: &NodeProto,
        input: usize,
    ) -> Result<(&'a TensorProto, Vec<f32>), NotArranged> {
        let name = node.input_name(input).unwrap_or_default();
        let Some(&tensor) = self.constants.get(name) else {
            return Err(NotArranged::Weights {
                node: NodeLabel::new(node),
                tensor: name.to_owned(),
                element_type: "undefined",
                dims: Vec::new(),
            });
        };
        let content = tensor.to_floats(MAX_WEIGHTS);
        Ok((
            tensor,
            content.ok_or_else(|| NotArranged::weights(node, tensor))?,
        ))
    }
}

/// Returns zeroed weights of that shape; `None` if there are more than any convolution has.
fn zeros(shape: [usize; 3]) -> Option<Vec<f32>> {
    let count = shape
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    (count <= MAX_WEIGHTS).then(|| vec![0.0; count])
}

fn dims(tensor: &TensorProto) -> Option<[usize; 4]> {
    let dims: Vec<usize> = tensor
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).ok())
        .collect::<Option<_>>()?;
    dims.try_into().ok()
}
