//! The steps again, on channels grouped by who reads them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::channels::{Channel, Kind, Step, Traced, Written};
use crate::Model;
use crate::proto::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// ONNX Runtime blocks the input of a convolution only where the number of channels is a multiple of this.
const ALIGNMENT: usize = 4;

/// Operator sets from this on give Split its lengths as an input.
const SPLIT_BY_INPUT: i64 = 13;

/// More weights than any detector's convolution has.
const MAX_WEIGHTS: usize = 1 << 26;

/// A tensor as it is in the new graph.
struct Piece {
    name: String,
    /// In order; `None` for one of zeros, or of values that nobody reads.
    channels: Vec<Option<Channel>>,
    size: [u64; 2],
}

/// The graph that computes the same; `None` where it has weights that cannot be read.
pub(super) fn rewrite(
    model: &Model,
    traced: &Traced<'_>,
    block: usize,
    opset: i64,
) -> Option<GraphProto> {
    let mut writer = Writer {
        traced,
        block,
        opset,
        constants: model
            .graph
            .initializer
            .iter()
            .map(|t| (t.name.as_str(), t))
            .collect(),
        pieces: Vec::new(),
        place: vec![0; traced.readers.len()],
        joined: HashMap::new(),
        nodes: Vec::new(),
        tensors: Vec::new(),
    };
    writer.add_as_written(&traced.input);
    for step in &traced.steps {
        writer.step(step)?;
    }
    for (name, channels) in &traced.outputs {
        let found = writer.exactly(channels);
        if found != *name {
            writer.node(
                "Identity",
                vec![found],
                vec![(*name).to_owned()],
                Vec::new(),
            );
        }
    }
    let mut tensors = writer.tensors;
    let nodes = writer.nodes;
    let used: HashSet<&str> = nodes
        .iter()
        .flat_map(|n| n.input.iter().map(String::as_str))
        .collect();
    let kept = model
        .graph
        .initializer
        .iter()
        .filter(|t| used.contains(t.name.as_str()));
    tensors.extend(kept.cloned());
    Some(GraphProto {
        node: nodes,
        initializer: tensors,
        name: model.graph.name.clone(),
        input: model.graph.input.clone(),
        output: model.graph.output.clone(),
        ..GraphProto::default()
    })
}

struct Writer<'a> {
    traced: &'a Traced<'a>,
    block: usize,
    opset: i64,
    constants: HashMap<&'a str, &'a TensorProto>,
    pieces: Vec<Piece>,
    /// By channel: the piece that holds it.
    place: Vec<usize>,
    /// Joins that exist already, by the pieces in them and the channels of zeros behind.
    joined: HashMap<(Vec<usize>, usize), usize>,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
}

impl Writer<'_> {
    fn step(&mut self, step: &Step<'_>) -> Option<()> {
        let node = step.node;
        match &step.kind {
            Kind::Conv {
                activation,
                reads,
                writes,
            } => self.conv(node, *activation, reads, writes),
            Kind::PerChannel { reads, writes } => self.per_channel(node, reads, writes),
            Kind::Fixed { reads, writes } => {
                let mut copy = node.clone();
                for (name, channels) in copy.input.iter_mut().zip(reads) {
                    if let Some(channels) = channels {
                        *name = self.exactly(channels);
                    }
                }
                self.nodes.push(copy);
                for written in writes {
                    self.add_as_written(written);
                }
                Some(())
            }
        }
    }

    /// A convolution that reads its channels as they lie, and writes them grouped by reader.
    fn conv(
        &mut self,
        node: &NodeProto,
        activation: Option<&NodeProto>,
        reads: &[Channel],
        writes: &Written<'_>,
    ) -> Option<()> {
        let input = self.holding(reads);
        let column = positions(reads);
        let column_of = |channel: &Option<Channel>| column.get(&(*channel)?).copied();
        let columns: Vec<Option<usize>> =
            self.pieces[input].channels.iter().map(column_of).collect();
        let conv = ConvSource {
            node,
            activation,
            input: self.pieces[input].name.clone(),
            columns,
        };

        let mut groups: BTreeMap<&[usize], Vec<Channel>> = BTreeMap::new();
        for channel in writes.channels.clone() {
            groups
                .entry(&self.traced.readers[channel])
                .or_default()
                .push(channel);
        }
        let groups: Vec<Vec<Channel>> = groups.into_values().collect();
        let first = writes.channels.start;
        let name = |index: usize| format!("layout/{}/{index}", writes.name);
        let whole_blocks = |group: &Vec<Channel>| group.len().is_multiple_of(self.block);
        if groups.len() == 1 || groups.iter().all(whole_blocks) {
            for (index, group) in groups.iter().enumerate() {
                let fixed = group.iter().any(|&channel| self.traced.fixed[channel]);
                let mut channels: Vec<_> = group.iter().copied().map(Some).collect();
                if !fixed {
                    channels.resize(group.len().next_multiple_of(self.block), None);
                }
                let rows: Vec<_> = channels.iter().map(|c| c.map(|c| c - first)).collect();
                self.write_conv(&conv, &rows, name(index))?;
                self.add(Piece {
                    name: name(index),
                    channels,
                    size: writes.size,
                });
            }
            return Some(());
        }
        let rows: Vec<_> = groups.iter().flatten().map(|c| Some(c - first)).collect();
        let whole = format!("layout/{}", writes.name);
        self.write_conv(&conv, &rows, whole.clone())?;
        let lengths: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
        self.split(whole, &lengths, (0..groups.len()).map(name).collect());
        for (index, group) in groups.into_iter().enumerate() {
            self.add(Piece {
                name: name(index),
                channels: group.into_iter().map(Some).collect(),
                size: writes.size,
            });
        }
        Some(())
    }

    /// The convolution with those rows of its weights, and zeros for the others, as `output`.
    fn write_conv(
        &mut self,
        conv: &ConvSource<'_>,
        rows: &[Option<usize>],
        output: String,
    ) -> Option<()> {
        let node = conv.node;
        let weights = *self.constants.get(node.input_name(1)?)?;
        let &[_, old_columns, height, width] = dims(weights)?.as_slice() else {
            return None;
        };
        let area = height.checked_mul(width)?;
        let old = weights.to_floats(MAX_WEIGHTS)?;
        let mut new = zeros([rows.len(), conv.columns.len(), area])?;
        for (row, old_row) in rows.iter().enumerate() {
            for (column, old_column) in conv.columns.iter().enumerate() {
                if let (Some(old_row), Some(old_column)) = (old_row, old_column) {
                    let from = (old_row * old_columns + old_column) * area;
                    let to = (row * conv.columns.len() + column) * area;
                    new[to..to + area].copy_from_slice(old.get(from..from + area)?);
                }
            }
        }
        let shape = [rows.len(), conv.columns.len(), height, width];
        let mut inputs = vec![conv.input.clone(), format!("{output}/weights")];
        self.tensors
            .push(TensorProto::of_floats(inputs[1].clone(), &shape, &new));
        inputs.extend(self.bias(node, rows, &output)?);
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
        Some(())
    }

    /// The bias of those rows, if the convolution has one.
    fn bias(
        &mut self,
        node: &NodeProto,
        rows: &[Option<usize>],
        output: &str,
    ) -> Option<Option<String>> {
        let Some(bias) = node.input_name(2) else {
            return Some(None);
        };
        let old = self.constants.get(bias)?.to_floats(MAX_WEIGHTS)?;
        let pick = |row: &Option<usize>| row.map_or(Some(0.0), |row| old.get(row).copied());
        let new: Vec<f32> = rows.iter().map(pick).collect::<Option<_>>()?;
        let name = format!("{output}/bias");
        self.tensors
            .push(TensorProto::of_floats(name.clone(), &[new.len()], &new));
        Some(Some(name))
    }

    /// An operator on channels as they lie.
    fn per_channel(
        &mut self,
        node: &NodeProto,
        reads: &[Channel],
        writes: &Written<'_>,
    ) -> Option<()> {
        let input = self.holding(reads);
        let position = positions(reads);
        let rows: Vec<Option<usize>> = (self.pieces[input].channels.iter())
            .map(|channel| position.get(&(*channel)?).copied())
            .collect();
        let output = format!("layout/{}", writes.name);
        let mut copy = node.clone();
        copy.input[0] = self.pieces[input].name.clone();
        copy.output = vec![output.clone()];
        if node.is("Conv") {
            let weights = *self.constants.get(node.input_name(1)?)?;
            let &[_, 1, height, width] = dims(weights)?.as_slice() else {
                return None;
            };
            let area = height.checked_mul(width)?;
            let old = weights.to_floats(MAX_WEIGHTS)?;
            let mut new = zeros([rows.len(), 1, area])?;
            for (kernel, row) in new.chunks_exact_mut(area.max(1)).zip(&rows) {
                if let Some(row) = row {
                    kernel.copy_from_slice(old.get(row * area..(row + 1) * area)?);
                }
            }
            let name = format!("{output}/weights");
            let shape = [rows.len(), 1, height, width];
            self.tensors
                .push(TensorProto::of_floats(name.clone(), &shape, &new));
            copy.input.truncate(1);
            copy.input.push(name);
            copy.input.extend(self.bias(node, &rows, &output)?);
            for attribute in copy.attribute.iter_mut().filter(|a| a.name == "group") {
                attribute.i = Some(rows.len() as i64);
            }
        }
        self.nodes.push(copy);
        let first = writes.channels.start;
        self.add(Piece {
            name: output,
            channels: rows.iter().map(|row| row.map(|row| first + row)).collect(),
            size: writes.size,
        });
        Some(())
    }

    /// A piece that holds all of `channels`, perhaps among others. Where pieces have to be joined for it, zeros fill it up
    /// to a number of channels that ONNX Runtime can block.
    fn holding(&mut self, channels: &[Channel]) -> usize {
        let mut parts: Vec<usize> = channels
            .iter()
            .map(|&channel| self.place[channel])
            .collect();
        parts.sort_unstable();
        parts.dedup();
        let lengths = parts.iter().map(|&part| self.pieces[part].channels.len());
        let count: usize = lengths.sum();
        let zeros = if parts.len() > 1 && count > self.block {
            count.next_multiple_of(ALIGNMENT) - count
        } else {
            0
        };
        self.joined(parts, zeros)
    }

    /// The piece of all the channels of `parts`, of which there is one at least, and `zeros` behind.
    fn joined(&mut self, parts: Vec<usize>, zeros: usize) -> usize {
        if let ([one], 0) = (&parts[..], zeros) {
            return *one;
        }
        if let Some(&piece) = self.joined.get(&(parts.clone(), zeros)) {
            return piece;
        }
        let size = self.pieces[parts[0]].size;
        let mut names: Vec<String> = parts
            .iter()
            .map(|&part| self.pieces[part].name.clone())
            .collect();
        let mut joined: Vec<_> = (parts.iter())
            .flat_map(|&part| self.pieces[part].channels.iter().copied())
            .collect();
        if zeros > 0 {
            names.push(self.zeros(zeros, size));
            joined.resize(joined.len() + zeros, None);
        }
        let name = format!("layout/joined/{}", self.joined.len());
        let axis = vec![AttributeProto::of_int("axis", 1)];
        self.node("Concat", names, vec![name.clone()], axis);
        let piece = self.pieces.len();
        self.pieces.push(Piece {
            name,
            channels: joined,
            size,
        });
        self.joined.insert((parts, zeros), piece);
        piece
    }

    /// The name of a constant of that many channels of zeros.
    fn zeros(&mut self, channels: usize, [height, width]: [u64; 2]) -> String {
        let name = format!("layout/zeros/{channels}x{height}x{width}");
        if !self.tensors.iter().any(|tensor| tensor.name == name) {
            let shape = [1, channels, height as usize, width as usize];
            let values = vec![0.0; shape.iter().product()];
            self.tensors
                .push(TensorProto::of_floats(name.clone(), &shape, &values));
        }
        name
    }

    /// The name of a tensor of exactly `channels`, in that order.
    fn exactly(&mut self, channels: &[Channel]) -> String {
        let mut parts: Vec<usize> = Vec::new();
        for &channel in channels {
            let part = self.place[channel];
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let piece = self.joined(parts, 0);
        let found = &self.pieces[piece];
        if found
            .channels
            .iter()
            .copied()
            .eq(channels.iter().copied().map(Some))
        {
            return found.name.clone();
        }
        let at: HashMap<_, _> = found.channels.iter().zip(0i64..).collect();
        // each channel is in the piece that was made of the places of them all
        let indices: Vec<i64> = channels
            .iter()
            .filter_map(|&c| at.get(&Some(c)).copied())
            .collect();
        let name = format!("layout/ordered/{}", self.nodes.len());
        let tensor = TensorProto::of_ints(format!("{name}/indices"), &indices);
        let inputs = vec![found.name.clone(), tensor.name.clone()];
        self.tensors.push(tensor);
        let axis = vec![AttributeProto::of_int("axis", 1)];
        self.node("Gather", inputs, vec![name.clone()], axis);
        name
    }

    fn split(&mut self, input: String, lengths: &[i64], outputs: Vec<String>) {
        let mut inputs = vec![input];
        let mut attributes = vec![AttributeProto::of_int("axis", 1)];
        if self.opset < SPLIT_BY_INPUT {
            attributes.push(AttributeProto::of_ints("split", lengths));
        } else {
            let tensor = TensorProto::of_ints(format!("{}/lengths", inputs[0]), lengths);
            inputs.push(tensor.name.clone());
            self.tensors.push(tensor);
        }
        self.node("Split", inputs, outputs, attributes);
    }

    fn node(
        &mut self,
        op_type: &str,
        input: Vec<String>,
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input,
            output,
            op_type: op_type.to_owned(),
            attribute,
            ..NodeProto::default()
        });
    }

    fn add_as_written(&mut self, written: &Written<'_>) {
        self.add(Piece {
            name: written.name.to_owned(),
            channels: written.channels.clone().map(Some).collect(),
            size: written.size,
        });
    }

    fn add(&mut self, piece: Piece) {
        for channel in piece.channels.iter().flatten() {
            self.place[*channel] = self.pieces.len();
        }
        self.pieces.push(piece);
    }
}

/// A convolution and where its input is.
struct ConvSource<'a> {
    node: &'a NodeProto,
    activation: Option<&'a NodeProto>,
    input: String,
    /// By channel of the input: the column of its weights.
    columns: Vec<Option<usize>>,
}

/// Where in `channels` each one stands.
fn positions(channels: &[Channel]) -> HashMap<Channel, usize> {
    channels.iter().copied().zip(0..).collect()
}

/// Room for weights of that shape; `None` where no convolution has so many.
fn zeros(shape: [usize; 3]) -> Option<Vec<f32>> {
    let count = shape
        .iter()
        .try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    (count <= MAX_WEIGHTS).then(|| vec![0.0; count])
}

fn dims(tensor: &TensorProto) -> Option<Vec<usize>> {
    tensor
        .dims
        .iter()
        .map(|&dim| usize::try_from(dim).ok())
        .collect()
}
