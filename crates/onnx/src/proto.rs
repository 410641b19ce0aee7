//! The messages of `onnx.proto` (github.com/onnx/onnx), with only the fields used here.
//!
//! Names and field numbers are the schema's; undeclared fields are skipped when decoding.

/// A whole `.onnx` file.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ModelProto {
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Encoded functions of the model.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
}

/// A text by its key.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The version of one operator set; the domain of ONNX's own operators is empty.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Nodes in topological order, and the graph's inputs and outputs.
#[derive(Clone, PartialEq, prost::Message)]
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Encoded initializers of the sparse form.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
}

/// One use of an operator. An empty input name is an omitted optional input.
#[derive(Clone, PartialEq, prost::Message)]
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A named constant of a node. Its type selects the field with the value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// The schema's `AttributeType`.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

/// A tensor's constant content, in `raw_data` (little endian) or in the list of its type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// One of [`element_type_name`]'s numbers.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// 1 if the content lies in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// A value's name and type.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// A value's type; sequences, maps and optionals have no `tensor_type`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// The schema's `TypeProto.Tensor`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// Absent if not even the rank is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// The dimensions of a tensor in order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// The schema's `TensorShapeProto.Dimension`: a number, a symbol or nothing.
#[derive(Clone, PartialEq, prost::Message)]
pub struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}

// The element types that are told apart, by the schema's numbers.
pub const FLOAT: i32 = 1;
pub const INT32: i32 = 6;
pub const INT64: i32 = 7;
pub const FLOAT16: i32 = 10;
pub const DOUBLE: i32 = 11;
pub const BFLOAT16: i32 = 16;

/// Returns the schema's name of an element type in lower case, such as `float` or `int64`.
pub fn element_type_name(data_type: i32) -> &'static str {
    match data_type {
        FLOAT => "float",
        2 => "uint8",
        3 => "int8",
        4 => "uint16",
        5 => "int16",
        INT32 => "int32",
        INT64 => "int64",
        8 => "string",
        9 => "bool",
        FLOAT16 => "float16",
        DOUBLE => "double",
        12 => "uint32",
        13 => "uint64",
        14 => "complex64",
        15 => "complex128",
        BFLOAT16 => "bfloat16",
        17 => "float8e4m3fn",
        18 => "float8e4m3fnuz",
        19 => "float8e5m2",
        20 => "float8e5m2fnuz",
        21 => "uint4",
        22 => "int4",
        23 => "float4e2m1",
        _ => "undefined",
    }
}

impl GraphProto {
    /// Adds a node of ONNX's own operators at the end.
    pub fn push(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: Vec<String>,
        attribute: Vec<AttributeProto>,
    ) {
        self.node.push(NodeProto {
            op_type: operator.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output,
            attribute,
            ..NodeProto::default()
        });
    }
}

impl ValueInfoProto {
    /// Describes a tensor of 32-bit floats; without `dims`, one of any shape.
    pub fn floats(name: String, dims: Option<&[i64]>) -> Self {
        let dimension = |&dim| DimensionProto {
            dim_value: Some(dim),
            dim_param: None,
        };
        let shape = dims.map(|dims| TensorShapeProto {
            dim: dims.iter().map(dimension).collect(),
        });
        Self {
            name,
            r#type: Some(TypeProto {
                tensor_type: Some(TensorTypeProto {
                    elem_type: FLOAT,
                    shape,
                }),
            }),
        }
    }
}

impl NodeProto {
    /// Returns whether this is ONNX's own operator of that name.
    pub fn is(&self, op_type: &str) -> bool {
        self.op_type == op_type && self.in_default_domain()
    }

    /// Returns whether the operator is one of ONNX's own.
    pub fn in_default_domain(&self) -> bool {
        matches!(self.domain.as_str(), "" | "ai.onnx")
    }

    /// Returns the operator's name, with its domain if that is not ONNX's own: `domain.operator`.
    pub fn qualified_operator(&self) -> String {
        if self.in_default_domain() {
            self.op_type.clone()
        } else {
            format!("{}.{}", self.domain, self.op_type)
        }
    }

    /// Returns the name of an input; `None` if it is left out.
    pub fn input_name(&self, index: usize) -> Option<&str> {
        self.input
            .get(index)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// Returns the attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        // no operator has nearly so many: limits the time of a look-up in a damaged file
        self.attribute.iter().take(64).find(|a| a.name == name)
    }

    /// Returns a text attribute; the default if the node does not have it.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.attribute(name)
            .map_or(default, |a| std::str::from_utf8(&a.s).unwrap_or_default())
    }

    /// Returns an integer attribute; the default if the node does not have it.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name)
            .map_or(default, |a| a.i.unwrap_or_default())
    }

    /// Returns a list attribute; `None` if the node does not have it.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }
}

// The schema's numbers of those attribute types that are written here.
const ATTRIBUTE_FLOAT: i32 = 1;
const ATTRIBUTE_INT: i32 = 2;
const ATTRIBUTE_STRING: i32 = 3;
const ATTRIBUTE_INTS: i32 = 7;

impl AttributeProto {
    /// Makes an attribute that holds a float.
    pub fn from_float(name: &str, value: f32) -> Self {
        Self {
            name: name.to_owned(),
            f: Some(value),
            r#type: ATTRIBUTE_FLOAT,
            ..Self::default()
        }
    }

    /// Makes an attribute that holds an integer.
    pub fn from_int(name: &str, value: i64) -> Self {
        Self {
            name: name.to_owned(),
            i: Some(value),
            r#type: ATTRIBUTE_INT,
            ..Self::default()
        }
    }

    /// Makes an attribute that holds a list of integers.
    pub fn from_ints(name: &str, values: &[i64]) -> Self {
        Self {
            name: name.to_owned(),
            ints: values.to_vec(),
            r#type: ATTRIBUTE_INTS,
            ..Self::default()
        }
    }

    /// Makes an attribute that holds a text.
    pub fn from_text(name: &str, value: &str) -> Self {
        Self {
            name: name.to_owned(),
            s: value.as_bytes().to_vec(),
            r#type: ATTRIBUTE_STRING,
            ..Self::default()
        }
    }

    /// Returns whether all of the attribute is in fields declared here: float, int, string, tensor,
    /// floats, ints.
    pub fn is_decoded(&self) -> bool {
        matches!(self.r#type, 1..=4 | 6 | 7) && self.t.as_ref().is_none_or(TensorProto::is_decoded)
    }
}

impl TensorProto {
    /// Makes a 32-bit float tensor.
    pub fn from_floats(name: String, dims: &[usize], values: &[f32]) -> Self {
        Self {
            name,
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: FLOAT,
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Self::default()
        }
    }

    /// Makes a 64-bit integer tensor of rank 1.
    pub fn from_ints(name: String, values: &[i64]) -> Self {
        Self {
            name,
            dims: vec![values.len() as i64],
            data_type: INT64,
            raw_data: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            ..Self::default()
        }
    }

    /// Returns whether all of the tensor is in fields declared here.
    pub fn is_decoded(&self) -> bool {
        !self.is_external()
            && (matches!(self.data_type, FLOAT | INT32 | INT64) || !self.raw_data.is_empty())
    }

    /// Returns the product of the dimensions; `None` if one is negative or the product overflows.
    pub fn elements(&self) -> Option<u64> {
        self.dims.iter().try_fold(1u64, |product, &dim| {
            product.checked_mul(u64::try_from(dim).ok()?)
        })
    }

    /// Returns whether the content lies in another file.
    pub fn is_external(&self) -> bool {
        self.data_location == 1
    }

    /// Returns the content of an integer tensor of at most `limit` elements that lies in this file.
    pub fn to_ints(&self, limit: usize) -> Option<Vec<i64>> {
        let count = self.small_count(limit)?;
        let values: Vec<i64> = match self.data_type {
            INT64 if self.raw_data.is_empty() => self.int64_data.clone(),
            INT64 => little_endian(&self.raw_data, i64::from_le_bytes),
            INT32 if self.raw_data.is_empty() => {
                self.int32_data.iter().copied().map(i64::from).collect()
            }
            INT32 => little_endian(&self.raw_data, |b| i64::from(i32::from_le_bytes(b))),
            _ => return None,
        };
        (values.len() == count).then_some(values)
    }

    /// Returns the content of a 32-bit float tensor of at most `limit` elements that lies in this
    /// file.
    pub fn to_floats(&self, limit: usize) -> Option<Vec<f32>> {
        let count = self.small_count(limit)?;
        let values = match self.data_type {
            FLOAT if self.raw_data.is_empty() => self.float_data.clone(),
            FLOAT => little_endian(&self.raw_data, f32::from_le_bytes),
            _ => return None,
        };
        (values.len() == count).then_some(values)
    }

    fn small_count(&self, limit: usize) -> Option<usize> {
        let count = usize::try_from(self.elements()?).ok()?;
        (count <= limit && !self.is_external()).then_some(count)
    }
}

fn little_endian<const N: usize, T>(bytes: &[u8], convert: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| convert(chunk)).collect()
}
