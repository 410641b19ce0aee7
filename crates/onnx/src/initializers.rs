//! Removes the graph inputs that are also initializers.
//!
//! Exporters for IR version 3, which required it, list every weight among the graph's inputs. ONNX
//! Runtime then treats weights as values that a caller may override, and skips the constant folding
//! and fusing that depend on them (NanoDet-m takes 1.18 times as long).

use std::borrow::Cow;
use std::collections::HashSet;

use prost::DecodeError;
use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint, skip_field,
};

use super::proto::{TensorProto, ValueInfoProto};
use super::{NO_GRAPH, NO_IR_VERSION, OnnxError};

// Field numbers of the edited messages.
const MODEL_IR_VERSION: u32 = 1;
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const GRAPH_INPUT: u32 = 11;

/// The first IR version in which an initializer need not be an input.
const INITIALIZERS_ALONE: u64 = 4;

/// Below this version a model names no operator set. Raising its version would leave it without the
/// operator set that later versions require.
const OPSET_NAMED: u64 = 3;

/// Returns the model without those graph inputs that are also initializers; the same bytes if there
/// are none. Subgraphs are not changed, nor are models of IR version 1 and 2.
///
/// # Errors
/// [`OnnxError::Malformed`], [`OnnxError::Missing`] or [`OnnxError::SeveralGraphs`] if the bytes
/// are not a model; [`OnnxError::ExternalData`] if an initializer is in another file, because a
/// session from bytes has no folder to search.
pub fn remove_initializer_inputs(bytes: &[u8]) -> Result<Cow<'_, [u8]>, OnnxError> {
    let mut ir_version = None;
    let mut graph = None;
    for field in fields(bytes) {
        let field = field?;
        match (field.number, field.value) {
            (MODEL_IR_VERSION, FieldValue::Varint(version)) => ir_version = Some(version),
            (MODEL_GRAPH, FieldValue::Bytes(_)) if graph.is_some() => {
                return Err(OnnxError::SeveralGraphs);
            }
            (MODEL_GRAPH, FieldValue::Bytes(content)) => graph = Some(content),
            _ => {}
        }
    }
    let ir_version = ir_version.ok_or(NO_IR_VERSION)?;
    let Some(graph) = without_initializers_among_inputs(graph.ok_or(NO_GRAPH)?)? else {
        return Ok(Cow::Borrowed(bytes));
    };
    if ir_version < OPSET_NAMED {
        return Ok(Cow::Borrowed(bytes));
    }

    let mut model = Vec::with_capacity(bytes.len());
    for field in fields(bytes) {
        let field = field?;
        match (field.number, field.value) {
            (MODEL_IR_VERSION, FieldValue::Varint(version)) => {
                encode_key(MODEL_IR_VERSION, WireType::Varint, &mut model);
                encode_varint(version.max(INITIALIZERS_ALONE), &mut model);
            }
            (MODEL_GRAPH, FieldValue::Bytes(_)) => {
                encode_key(MODEL_GRAPH, WireType::LengthDelimited, &mut model);
                encode_varint(graph.len() as u64, &mut model);
                model.extend_from_slice(&graph);
            }
            _ => model.extend_from_slice(field.encoded),
        }
    }
    Ok(Cow::Owned(model))
}

/// Returns the edited graph; `None` if no input is an initializer.
fn without_initializers_among_inputs(graph: &[u8]) -> Result<Option<Vec<u8>>, OnnxError> {
    let mut initializers = HashSet::new();
    let mut inputs = Vec::new();
    for field in fields(graph) {
        let field = field?;
        match (field.number, field.value) {
            (GRAPH_INITIALIZER, FieldValue::Bytes(content)) => {
                let tensor = TensorProto::decode(content)?;
                if tensor.is_external() {
                    return Err(OnnxError::ExternalData {
                        tensor: tensor.name,
                    });
                }
                initializers.insert(tensor.name);
            }
            (GRAPH_INPUT, FieldValue::Bytes(content)) => {
                inputs.push(ValueInfoProto::decode(content)?.name);
            }
            _ => {}
        }
    }
    if !inputs.iter().any(|name| initializers.contains(name)) {
        return Ok(None);
    }

    let mut kept = Vec::with_capacity(graph.len());
    let mut inputs = inputs.iter();
    for field in fields(graph) {
        let field = field?;
        let is_input = field.number == GRAPH_INPUT && matches!(field.value, FieldValue::Bytes(_));
        if is_input
            && inputs
                .next()
                .is_some_and(|name| initializers.contains(name))
        {
            continue;
        }
        kept.extend_from_slice(field.encoded);
    }
    Ok(Some(kept))
}

/// One field of an encoded message.
struct Field<'a> {
    number: u32,
    value: FieldValue<'a>,
    /// The whole field: key, length and content.
    encoded: &'a [u8],
}

enum FieldValue<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Other,
}

/// Returns the fields of an encoded message in order, up to the first that is damaged.
fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>, DecodeError>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, DecodeError> {
    let start = *rest;
    let (number, wire_type) = decode_key(rest)?;
    let value = match wire_type {
        WireType::Varint => FieldValue::Varint(decode_varint(rest)?),
        WireType::LengthDelimited => {
            let mut content = *rest;
            let length = decode_varint(&mut content)?;
            // checks the length against the available bytes
            skip_field(wire_type, number, rest, DecodeContext::default())?;
            FieldValue::Bytes(&content[..length as usize])
        }
        _ => {
            skip_field(wire_type, number, rest, DecodeContext::default())?;
            FieldValue::Other
        }
    };
    Ok(Field {
        number,
        value,
        encoded: &start[..start.len() - rest.len()],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::OnnxModel;
    use super::super::proto::{GraphProto, ModelProto, NodeProto};
    use super::*;

    fn named(name: &str) -> ValueInfoProto {
        ValueInfoProto {
            name: name.into(),
            ..Default::default()
        }
    }

    /// A model with the inputs `x` and `w`, where `w` is an initializer.
    fn old_style(ir_version: i64) -> ModelProto {
        ModelProto {
            ir_version: Some(ir_version),
            graph: Some(GraphProto {
                node: vec![NodeProto {
                    op_type: "Add".into(),
                    input: vec!["x".into(), "w".into()],
                    output: vec!["y".into()],
                    ..Default::default()
                }],
                initializer: vec![TensorProto {
                    name: "w".into(),
                    ..Default::default()
                }],
                input: vec![named("x"), named("w")],
                output: vec![named("y")],
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn initializers_leave_the_inputs_and_ir_3_becomes_4() {
        for (before, after) in [(3, 4), (6, 6)] {
            let mut expected = old_style(after);
            expected.graph.as_mut().unwrap().input.pop();
            let bytes = old_style(before).encode_to_vec();
            let edited = remove_initializer_inputs(&bytes).unwrap();
            assert_eq!(edited, expected.encode_to_vec());
            assert!(matches!(
                remove_initializer_inputs(&edited).unwrap(),
                Cow::Borrowed(_)
            ));
        }
    }

    #[test]
    fn a_model_without_operator_sets_stays_as_it_is() {
        let bytes = old_style(2).encode_to_vec();
        assert!(matches!(
            remove_initializer_inputs(&bytes).unwrap(),
            Cow::Borrowed(_)
        ));
    }

    #[test]
    fn fields_unknown_here_are_kept() {
        // field 99 of each wire type that is in use: varint, 64-bit, bytes, group, 32-bit
        let unknown =
            b"\x98\x06\x05\x99\x06ABCDEFGH\x9a\x06\x02hi\x9b\x06\x08\x01\x9c\x06\x9d\x06WXYZ";
        let mut bytes = unknown.to_vec();
        bytes.extend(old_style(6).encode_to_vec());
        bytes.extend_from_slice(unknown);
        let edited = remove_initializer_inputs(&bytes).unwrap();
        assert!(edited.starts_with(unknown) && edited.ends_with(unknown));
        assert_eq!(OnnxModel::parse(&edited).unwrap().graph.input.len(), 1);
    }

    #[test]
    fn data_in_another_file_is_refused_by_name() {
        let mut model = old_style(6);
        model.graph.as_mut().unwrap().initializer[0].data_location = 1;
        assert_eq!(
            remove_initializer_inputs(&model.encode_to_vec()),
            Err(OnnxError::ExternalData { tensor: "w".into() })
        );
    }

    #[test]
    fn two_graphs_are_refused() {
        let mut bytes = old_style(6).encode_to_vec();
        bytes.extend(old_style(6).encode_to_vec());
        assert_eq!(
            remove_initializer_inputs(&bytes),
            Err(OnnxError::SeveralGraphs)
        );
    }

    proptest! {
        #[test]
        fn removal_takes_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = remove_initializer_inputs(&bytes);
        }

        #[test]
        fn removal_is_idempotent_on_mutated_models(
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            version in 1i64..9,
        ) {
            let mut bytes = old_style(version).encode_to_vec();
            for (at, byte) in edits {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(edited) = remove_initializer_inputs(&bytes) {
                prop_assert!(edited.len() <= bytes.len() + 10);
                prop_assert_eq!(remove_initializer_inputs(&edited).unwrap(), edited.as_ref());
            }
        }
    }
}
