use super::*;
use crate::proto::ModelProto;
use prost::Message;

#[test]
fn bytes_without_a_model_are_refused() {
    for bytes in [&b"\xff\xd8\xff\xe0"[..], b""] {
        assert!(matches!(
            resize(bytes, 32, 32),
            Err(NotResized::NotRewritable(_))
        ));
    }
    let empty = ModelProto {
        ir_version: Some(7),
        graph: Some(GraphProto::default()),
        ..ModelProto::default()
    };
    assert_eq!(
        resize(&empty.encode_to_vec(), 32, 32),
        Err(NotResized::Inputs { found: 0 })
    );
}
