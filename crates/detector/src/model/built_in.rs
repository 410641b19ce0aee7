//! The files of models that are compiled into the program: what is found without fetching anything,
//! wherever the program was copied to.

const FILES: [(&str, &[u8]); 1] = [("road.onnx", include_bytes!("../../../../models/road.onnx"))];

/// Returns the content of the file of that name.
pub(super) fn content(name: &str) -> Option<&'static [u8]> {
    let file = FILES.iter().find(|(known, _)| *known == name);
    file.map(|(_, content)| *content)
}
