//! Reads weights that PyTorch saved (`torch.save` of a `state_dict`), in the zip form and in the
//! form before version 1.6.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::rc::Rc;

use half::f16;
use tch::Tensor;
use thiserror::Error;

use super::pickle::{self, PickleError, Value};

/// The most bytes of a pickled part and of the weights of a tensor.
const MOST_PICKLED: u64 = 64 << 20;
const MOST_STORED: u64 = 1 << 30;

/// A file is not weights of PyTorch.
#[derive(Debug, Error)]
pub enum PthError {
    #[error("expected weights as torch.save writes them, found neither a zip archive nor a pickle")]
    Container,
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error("the zip archive is damaged: {0}")]
    Zip(#[from] zip::result::ZipError),
    #[error("the zip archive is damaged: {0}")]
    Read(#[from] std::io::Error),
    #[error(
        "expected a dictionary of tensors (a state_dict), found something else; save model.state_dict()"
    )]
    NotWeights,
    #[error("the tensor {name} is damaged: {problem}")]
    Tensor { name: String, problem: &'static str },
}

/// Tensors of f32 by name.
pub type Tensors = HashMap<String, Tensor>;

/// Reads the tensors of floats of a file's bytes. Integers, such as counts of batches, are left out.
///
/// # Errors
/// The bytes are of another format, or damaged.
pub fn read(bytes: &[u8]) -> Result<Tensors, PthError> {
    if bytes.starts_with(b"PK") {
        read_zip(bytes)
    } else if bytes.starts_with(&[0x80]) {
        read_legacy(bytes)
    } else {
        Err(PthError::Container)
    }
}

fn read_zip(bytes: &[u8]) -> Result<Tensors, PthError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let names = archive.file_names().map(str::to_owned).collect::<Vec<_>>();
    let pickled = names.iter().find(|name| name.ends_with("data.pkl"));
    let pickled = pickled.ok_or(PthError::NotWeights)?;
    let folder = pickled.trim_end_matches("data.pkl").to_owned();
    let mut content = |name: &str, limit: u64| -> Result<Vec<u8>, PthError> {
        let mut content = Vec::new();
        archive
            .by_name(name)?
            .take(limit)
            .read_to_end(&mut content)?;
        Ok(content)
    };
    let (root, _) = pickle::read(&content(pickled, MOST_PICKLED)?)?;
    let mut storages = HashMap::new();
    tensors(&root, &mut |storage| {
        if !storages.contains_key(&storage.key) {
            let bytes = content(&format!("{folder}data/{}", storage.key), MOST_STORED)?;
            storages.insert(storage.key.clone(), floats(&bytes, storage.element));
        }
        Ok(storages[&storage.key].clone())
    })
}

/// Reads the older form: four pickles (a magic number, a version, the machine, the weights), a fifth
/// with the order of the storages, then the storages.
fn read_legacy(bytes: &[u8]) -> Result<Tensors, PthError> {
    let mut at = 0;
    let mut next = || -> Result<Rc<Value>, PthError> {
        let (value, length) = pickle::read(bytes.get(at..).unwrap_or_default())?;
        at += length;
        Ok(value)
    };
    for _ in 0..3 {
        next()?;
    }
    let (root, keys) = (next()?, next()?);
    let mut elements = HashMap::new();
    each_tensor(&root, &mut |_, tensor| {
        elements.insert(tensor.storage.key.clone(), tensor.storage.element);
        Ok(())
    })?;
    let damaged = PthError::Pickle(PickleError::End);
    let mut storages = HashMap::new();
    let mut rest = bytes.get(at..).unwrap_or_default();
    for key in keys.elements().ok_or(PthError::NotWeights)? {
        let key = key.text().ok_or(PthError::NotWeights)?;
        let Some((count, after)) = rest.split_first_chunk::<8>() else {
            return Err(damaged);
        };
        // a storage of another object than a tensor cannot be measured
        let element = *elements.get(key).ok_or(PthError::NotWeights)?;
        let length = usize::try_from(i64::from_le_bytes(*count)).ok();
        let length = length.and_then(|count| count.checked_mul(element.size()));
        let Some((content, after)) = length.and_then(|length| after.split_at_checked(length))
        else {
            return Err(damaged);
        };
        storages.insert(key.to_owned(), floats(content, element));
        rest = after;
    }
    tensors(&root, &mut |storage| {
        storages
            .get(&storage.key)
            .cloned()
            .ok_or(PthError::NotWeights)
    })
}

/// The values of a storage, which tensors may share.
type Floats = Rc<[f32]>;

/// The type of a storage's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Float,
    Half,
    Double,
    /// Of that many bytes.
    Other(usize),
}

impl Element {
    fn of_storage(name: &str) -> Option<Self> {
        Some(match name {
            "FloatStorage" => Element::Float,
            "HalfStorage" => Element::Half,
            "DoubleStorage" => Element::Double,
            "LongStorage" => Element::Other(8),
            "IntStorage" => Element::Other(4),
            "ShortStorage" | "BFloat16Storage" => Element::Other(2),
            "CharStorage" | "ByteStorage" | "BoolStorage" => Element::Other(1),
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Element::Float => 4,
            Element::Half => 2,
            Element::Double => 8,
            Element::Other(size) => size,
        }
    }
}

struct Storage {
    key: String,
    element: Element,
}

struct Stored {
    storage: Storage,
    offset: i64,
    size: Vec<i64>,
    stride: Vec<i64>,
}

/// Makes the tensors of floats; `storage` returns the values of a storage.
fn tensors(
    root: &Value,
    storage: &mut dyn FnMut(&Storage) -> Result<Floats, PthError>,
) -> Result<Tensors, PthError> {
    let mut tensors = HashMap::new();
    each_tensor(root, &mut |name, stored| {
        if matches!(stored.storage.element, Element::Other(_)) {
            return Ok(());
        }
        let values = storage(&stored.storage)?;
        let tensor = tensor(&values, &stored).map_err(|problem| PthError::Tensor {
            name: name.to_owned(),
            problem,
        })?;
        tensors.insert(name.to_owned(), tensor);
        Ok(())
    })?;
    if tensors.is_empty() {
        return Err(PthError::NotWeights);
    }
    Ok(tensors)
}

fn tensor(values: &[f32], stored: &Stored) -> Result<Tensor, &'static str> {
    if stored.size.len() != stored.stride.len() || stored.size.len() > 8 {
        return Err("its size and strides do not fit");
    }
    let mut last = stored.offset;
    let mut count = 1i64;
    for (&size, &stride) in stored.size.iter().zip(&stored.stride) {
        if size < 1 || stride < 0 {
            return Err("its size is below 1");
        }
        let step = (size - 1).checked_mul(stride);
        let next = step.and_then(|step| last.checked_add(step));
        last = next.ok_or("its size is too large")?;
        count = count.checked_mul(size).ok_or("its size is too large")?;
    }
    let fits = stored.offset >= 0 && usize::try_from(last).is_ok_and(|last| last < values.len());
    if !fits || count > values.len() as i64 {
        return Err("its values are not in the file");
    }
    Ok(Tensor::from_slice(values)
        .as_strided(&stored.size, &stored.stride, stored.offset)
        .contiguous())
}

/// Calls `each` with the name and form of every tensor.
fn each_tensor(
    root: &Value,
    each: &mut dyn FnMut(&str, Stored) -> Result<(), PthError>,
) -> Result<(), PthError> {
    let Value::Dict(entries) = root else {
        return Err(PthError::NotWeights);
    };
    // a training's checkpoint has the weights beside other things
    let inner = entries.iter().find(|(key, value)| {
        let key = key.text().unwrap_or_default();
        matches!(key, "state_dict" | "model") && matches!(&**value, Value::Dict(_))
    });
    if let Some((_, inner)) = inner {
        return each_tensor(inner, each);
    }
    for (name, value) in entries {
        if let (Some(name), Some(stored)) = (name.text(), stored(value)) {
            each(name, stored)?;
        }
    }
    Ok(())
}

/// Reads the call that makes a tensor of a storage.
fn stored(value: &Value) -> Option<Stored> {
    let Value::Call(function, arguments) = value else {
        return None;
    };
    let arguments = arguments.elements()?;
    match &**function {
        Value::Global(module, name) if module == "torch._utils" && name == "_rebuild_tensor_v2" => {
        }
        // nn.Parameter around a tensor
        Value::Global(module, name) if module == "torch._utils" && name == "_rebuild_parameter" => {
            return stored(arguments.first()?);
        }
        _ => return None,
    }
    let [storage, offset, size, stride, ..] = arguments else {
        return None;
    };
    let Value::Persistent(id) = &**storage else {
        return None;
    };
    let [_, class, key, ..] = id.elements()? else {
        return None;
    };
    let Value::Global(_, class) = &**class else {
        return None;
    };
    let ints = |value: &Value| {
        let ints = value.elements()?.iter().map(|element| element.int());
        ints.collect::<Option<Vec<i64>>>()
    };
    Some(Stored {
        storage: Storage {
            key: key.text()?.to_owned(),
            element: Element::of_storage(class)?,
        },
        offset: offset.int()?,
        size: ints(size)?,
        stride: ints(stride)?,
    })
}

/// Returns the values as 32-bit floats; none of another type.
fn floats(bytes: &[u8], element: Element) -> Floats {
    match element {
        Element::Float => {
            let (chunks, _) = bytes.as_chunks::<4>();
            chunks
                .iter()
                .map(|chunk| f32::from_le_bytes(*chunk))
                .collect()
        }
        Element::Half => {
            let (chunks, _) = bytes.as_chunks::<2>();
            let values = chunks
                .iter()
                .map(|chunk| f16::from_le_bytes(*chunk).to_f32());
            values.collect()
        }
        Element::Double => {
            let (chunks, _) = bytes.as_chunks::<8>();
            let values = chunks.iter().map(|chunk| f64::from_le_bytes(*chunk) as f32);
            values.collect()
        }
        Element::Other(_) => Rc::new([]),
    }
}
