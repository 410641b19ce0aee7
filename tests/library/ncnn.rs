//! Networks of ncnn as ONNX models, against ncnn itself.
//!
//! `tests/reference/ncnn_outputs.py` runs both.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use shuffledet_onnx::inspect::{ChannelLayout, inspect};
use shuffledet_onnx::ncnn::{ImportError, InputSize, import};
use shuffledet_testing::{asset, python, repository};

/// Asserts that each `.onnx` in `folder` computes what the `.param` and `.bin` beside it do.
fn assert_equal_outputs(test: &str, folder: &Path) {
    let Some(mut python) = python::python(test) else {
        return;
    };
    let script = repository("tests/reference/ncnn_outputs.py");
    let output = python.arg(script).arg(folder).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    let compared: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Some(compared) = compared.as_object() else {
        eprintln!("skipped: {test}: needs the Python package ncnn");
        return;
    };
    for (name, figures) in compared {
        let difference = figures["difference"].as_f64().unwrap();
        assert!(difference < 1e-3, "{name}: {figures}");
    }
}

/// Writes `text` as a network with an input of 6 channels, 20 columns and 14 rows called `in`, and imports it.
///
/// After a `|`, a line has the layer's weights: `f` and `h` for 32-bit and 16-bit floats behind a tag, `p` for plain
/// floats, `+` for plain floats above 0, each with their number.
fn write_small(folder: &Path, name: &str, text: &str) {
    let mut random = Random(1);
    let (mut lines, mut blobs, mut bin) = (
        vec!["Input input 0 1 in 0=20 1=14 2=6".to_owned()],
        1,
        Vec::new(),
    );
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (layer, weights) = line.split_once('|').unwrap_or((line, ""));
        lines.push(layer.to_owned());
        blobs += layer
            .split_whitespace()
            .nth(3)
            .unwrap()
            .parse::<usize>()
            .unwrap();
        for part in weights.split_whitespace() {
            let (form, count) = part.split_at(1);
            random.write(form, count.parse().unwrap(), &mut bin);
        }
    }
    let param = format!("7767517\n{} {blobs}\n{}\n", lines.len(), lines.join("\n"));
    let onnx =
        import(param.as_bytes(), &bin, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    let path = |extension| folder.join(name).with_extension(extension);
    fs::write(path("param"), param).unwrap();
    fs::write(path("bin"), bin).unwrap();
    fs::write(path("onnx"), onnx).unwrap();
}

/// Numbers from -0.5 to 0.5 (a linear congruential generator).
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32 - 0.5
    }

    fn write(&mut self, form: &str, count: usize, bin: &mut Vec<u8>) {
        match form {
            "f" => bin.extend(0_u32.to_le_bytes()),
            "h" => bin.extend(0x0130_6B47_u32.to_le_bytes()),
            _ => {}
        }
        for _ in 0..count {
            let value = self.next();
            match form {
                // a sign, an exponent from 2^-8 to 2^-1, ten bits
                "h" => {
                    let exponent = ((self.0 >> 28) & 7) + 7;
                    let half = ((self.0 >> 31) << 15) | (exponent << 10) | ((self.0 >> 16) & 1023);
                    bin.extend((half as u16).to_le_bytes());
                }
                "+" => bin.extend((value + 0.75).to_le_bytes()),
                _ => bin.extend(value.to_le_bytes()),
            }
        }
        if form == "h" && count % 2 == 1 {
            bin.extend([0, 0]);
        }
    }
}

const SMALL: &[(&str, &str)] = &[
    (
        "convolutions",
        "Split s 1 9 in a b c d e f g h i
        Convolution fused0 1 1 a a1 0=5 1=3 2=2 3=2 4=1 5=1 6=270 | f270 p5
        Convolution fused1 1 1 b b1 0=5 1=1 6=30 9=1 | h30
        Convolution fused2 1 1 c c1 0=5 1=3 11=5 3=1 13=2 4=0 14=1 15=2 16=3 5=1 6=450 9=2 -23310=1,1.000000e-01 | h450 p5
        Convolution fused3 1 1 d d1 0=5 1=3 4=-233 3=2 5=1 6=270 9=3 -23310=2,-0.2,0.3 | f270 p5
        Convolution fused4 1 1 e e1 0=5 1=4 4=-234 3=2 5=1 6=480 9=4 | f480 p5
        Convolution fused5 1 1 f f1 0=5 1=3 4=-233 2=2 6=270 9=5 | f270
        ConvolutionDepthWise fused6 1 1 g g1 0=6 1=3 4=1 5=1 6=54 7=6 9=6 -23310=2,1.666667e-01,5.000000e-01 | h54 p6
        ConvolutionDepthWise groups 1 1 h h1 0=4 1=3 4=1 5=1 6=108 7=2 | h108 p4
        ConvolutionDepthWise one 1 1 i i1 0=4 1=1 6=24 | f24",
    ),
    (
        "activations",
        "Split s 1 13 in a b c d e f g h i j k l m
        ReLU relu 1 1 a a1
        ReLU leaky 1 1 b b1 0=0.25
        HardSwish hs 1 1 c c1
        HardSwish hs6 1 1 d d1 0=1.666667e-01 1=0.5
        HardSigmoid hg 1 1 e e1 0=0.3 1=0.4
        Sigmoid sig 1 1 f f1
        Swish swish 1 1 g g1
        Clip clip 1 1 h h1 0=-0.5 1=0.75
        Mish mish 1 1 i i1
        Softmax soft0 1 1 j j1
        Softmax soft1 1 1 k k1 0=1 1=1
        Softmax soft2 1 1 l l1 0=-1 1=1
        Dropout drop 1 1 m m1 0=0.5",
    ),
    (
        "poolings",
        "Split s 1 11 in a b c d e f g h i j k
        Pooling max 1 1 a a1 0=0 1=3 2=2 3=1 5=1
        Pooling full 1 1 b b1 1=3 2=2
        Pooling average 1 1 c c1 0=1 1=3 2=2 3=1 5=1
        Pooling counted 1 1 d d1 0=1 1=3 2=2 3=1 5=1 6=1
        Pooling averagefull 1 1 e e1 0=1 1=3 2=2
        Pooling same 1 1 f f1 1=3 11=2 2=2 5=2
        Pooling samelower 1 1 g g1 1=3 2=2 12=3 5=3
        Pooling global 1 1 h h1 0=1 4=1
        Pooling globalmax 1 1 i i1 4=1
        Pooling adaptive 1 1 j j1 0=1 7=1 8=1
        Pooling uneven 1 1 k k1 1=4 11=3 2=1 12=2 3=1 13=0 14=2 15=1 5=1",
    ),
    (
        "averages_of_same_padding",
        "Split s 1 2 in a b
        Pooling upper 1 1 a a1 0=1 1=3 2=2 5=2
        Pooling lower 1 1 b b1 0=1 1=3 2=2 5=3",
    ),
    (
        "moved",
        "Split s 1 11 in a b c d e f g h i j k
        ShuffleChannel shuffle 1 1 a a1 0=2
        ShuffleChannel reverse 1 1 b b1 0=2 1=1
        Slice half 1 2 c c1 c2 -23300=2,-233,-233
        Slice rest 1 3 d d1 d2 d3 -23300=3,4,-233,-233 1=2
        Slice ends 1 3 e e1 e2 e3 -23302=2,2,-5 1=1
        Crop numpy 1 1 f f1 -23309=2,1,-6 -23310=2,-1,-233 -23311=2,0,-1
        Crop offset 1 1 g g1 0=2 1=1 2=3 3=10 4=-233 5=-233 6=1 7=2 8=1
        Crop all 1 1 h h1 -23309=3,1,2,3 -23310=3,4,100,-233
        Concat rows 2 1 i j ij 0=1
        Noop noop 1 1 k k1
        Flatten flat 1 1 k1 k2",
    ),
    (
        "heads",
        "Split s 1 8 in a b c d e f g h
        Reshape two 1 1 a a1 0=-1 1=6
        Permute two 1 1 a1 a2 0=1
        Reshape one 1 1 b b1 0=-1
        Reshape copy 1 1 c c1 0=0 1=-1
        Reshape three 1 1 d d1 0=7 1=-1 2=0
        Permute p1 1 1 e e1 0=1
        Permute p3 1 1 f f1 0=3
        Permute p4 1 1 g g1 0=4
        Split t 1 3 h h1 h2 h3
        Permute p0 1 1 h1 h4 0=0
        Permute p2 1 1 h2 h5 0=2
        Permute p5 1 1 h3 h6 0=5",
    ),
    (
        "resized",
        "Split s 1 10 in a b c d e f g h i j
        Interp nearest 1 1 a a1 0=1 1=2.0 2=3.0
        Interp bilinear 1 1 b b1 0=2 1=2.0 2=2.0
        Interp smaller 1 1 c c1 0=2 1=0.35 2=0.45
        Interp cubic 1 1 d d1 0=3 1=2.0 2=2.0
        Interp sized 1 1 e e1 0=2 3=11 4=33
        Interp nearsized 1 1 f f1 0=1 3=11 4=33
        Interp corners 1 1 g g1 0=2 3=11 4=33 6=1
        Interp nearfraction 1 1 h h1 0=1 1=1.5 2=0.3
        Pooling global 1 1 i i1 4=1
        Interp spread 1 1 i1 i2 0=2 3=3 4=5
        Split t 1 3 j j1 j2 j3
        Padding zero 1 1 j1 j4 0=1 1=2 2=3 3=4 5=0.5
        Padding edge 1 1 j2 j5 0=1 1=2 2=3 3=4 4=1
        Padding reflect 1 1 j3 j6 0=1 1=2 2=3 3=4 4=2",
    ),
    (
        "arithmetic",
        "MemoryData image 0 1 mi 0=20 1=14 2=6 | p1680
        MemoryData column 0 1 mc 0=6 | +6
        MemoryData rows 0 1 mr 0=14 1=6 | p84
        Split s 1 13 in a b c d e f g h i j k l m
        Split t 1 3 mi m1 m2 m3
        BinaryOp add 2 1 a m1 a1 0=0
        BinaryOp sub 2 1 b mc b1 0=1
        BinaryOp mul 2 1 mr c c1 0=2
        BinaryOp rsub 1 1 d d1 0=7 1=1 2=0.5
        BinaryOp mulscalar 1 1 e e1 0=2 1=1 2=1.5
        BinaryOp max 2 1 f m2 f1 0=4
        BinaryOp min 1 1 g g1 0=5 1=1 2=0.25
        Eltwise weighted 3 1 h i m3 hi 0=1 -23301=3,0.5,-1.5,2.0
        Split u 1 2 j j1 j2
        Eltwise product 2 1 j1 k jk 0=0
        Eltwise larger 2 1 j2 l jl 0=2
        BatchNorm norm 1 1 m n 0=6 1=1e-3 | p6 p6 +6 p6
        Scale scale 1 1 n o 0=6 1=1 | p6 p6",
    ),
    (
        "functions",
        "UnaryOp abs 1 1 in p 0=0
        BinaryOp more 1 1 p q 0=0 1=1 2=0.5
        Split s 1 14 q a b c d e f g h i j k l m n
        UnaryOp neg 1 1 a a1 0=1
        UnaryOp floor 1 1 b b1 0=2
        UnaryOp ceil 1 1 c c1 0=3
        UnaryOp square 1 1 d d1 0=4
        UnaryOp sqrt 1 1 e e1 0=5
        UnaryOp rsqrt 1 1 f f1 0=6
        UnaryOp exp 1 1 g g1 0=7
        UnaryOp log 1 1 h h1 0=8
        UnaryOp reciprocal 1 1 i i1 0=15
        UnaryOp tanh 1 1 j j1 0=16
        UnaryOp round 1 1 k k1 0=18
        BinaryOp pow 1 1 l l1 0=6 1=1 2=1.5
        BinaryOp rpow 1 1 m m1 0=9 1=1 2=1.5
        BinaryOp rdiv 1 1 n n1 0=8 1=1 2=1.5
        Split t 1 7 n1 o1 o2 o3 o4 o5 o6 o7
        UnaryOp sin 1 1 o1 r1 0=9
        UnaryOp cos 1 1 o2 r2 0=10
        BinaryOp small 1 1 o3 r3 0=3 1=1 2=4.0
        Split v 1 4 r3 u1 u2 u3 u4
        UnaryOp tan 1 1 u1 w1 0=11
        UnaryOp asin 1 1 u2 w2 0=12
        UnaryOp acos 1 1 u3 w3 0=13
        UnaryOp atan 1 1 u4 w4 0=14",
    ),
    (
        "squeeze_and_excite",
        "Split s 1 4 in a b c d
        Pooling global 1 1 a a1 0=1 4=1
        Convolution reduce 1 1 a1 a2 0=4 1=1 5=1 6=24 9=1 | h24 p4
        InnerProduct expand 1 1 a2 a3 0=6 1=1 2=24 9=4 | f24 p6
        BinaryOp excite 2 1 b a3 b1 0=2
        InnerProduct flat 1 1 c c1 0=3 1=1 2=5040 | h5040 p3
        Reshape rows 1 1 d d1 0=20 1=-1
        InnerProduct each 1 1 d1 d2 0=3 1=1 2=60 9=1 | f60 p3",
    ),
];

#[test]
fn small_networks_compute_what_ncnn_computes() {
    let test = "small_networks_compute_what_ncnn_computes";
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in SMALL {
        write_small(folder.path(), name, text);
    }
    assert_equal_outputs(test, folder.path());
}

/// The `.param` and `.bin` files of NanoDet-Plus-m.
fn nanodet_plus(test: &str) -> Option<[Vec<u8>; 2]> {
    let param = asset(test, "models/nanodet_plus_m_416.param")?;
    let bin = param.with_extension("bin");
    Some([param, bin].map(|path| fs::read(path).unwrap()))
}

const NATIVE: InputSize = InputSize {
    width: 416,
    height: 416,
};

#[test]
fn nanodet_plus_computes_what_ncnn_computes_at_any_size() {
    let test = "nanodet_plus_computes_what_ncnn_computes_at_any_size";
    let Some([param, bin]) = nanodet_plus(test) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.param");
    fs::write(&path, &param).unwrap();
    fs::write(path.with_extension("bin"), &bin).unwrap();
    for (width, height) in [(416, 416), (832, 256), (320, 352)] {
        let onnx = import(&param, &bin, Some(InputSize { width, height })).unwrap();
        fs::write(
            folder.path().join(format!("net-{width}x{height}.onnx")),
            onnx,
        )
        .unwrap();
    }
    assert_equal_outputs(test, folder.path());
}

#[test]
fn nanodet_plus_is_recognised_and_arranged() {
    let Some([param, bin]) = nanodet_plus("nanodet_plus_is_recognised_and_arranged") else {
        return;
    };
    let onnx = import(&param, &bin, Some(NATIVE)).unwrap();
    assert_eq!(import(&param, &bin, Some(NATIVE)).unwrap(), onnx);
    let inspection = inspect(&onnx).unwrap();
    assert_eq!(
        inspection.shufflenet.conclusion,
        "ShuffleNet V2 backbone: 3 stages of 1+3, 1+7, 1+3 units, 24-116-232-464 channels (1.0x)"
    );
    let ChannelLayout::Arranged { nodes } = inspection.channel_layout else {
        panic!("{:?}", inspection.channel_layout);
    };
    assert!(nodes < inspection.nodes, "{nodes}");
}

#[test]
fn without_a_size_the_file_must_give_one() {
    let Some([param, bin]) = nanodet_plus("without_a_size_the_file_must_give_one") else {
        return;
    };
    let error = import(&param, &bin, None).unwrap_err();
    assert!(matches!(error, ImportError::NoInputSize { .. }), "{error}");
}

#[test]
fn damaged_files_give_an_error_that_names_a_line_or_bytes() {
    let test = "damaged_files_give_an_error_that_names_a_line_or_bytes";
    let Some([param, bin]) = nanodet_plus(test) else {
        return;
    };
    for kept in [0, 3, 4, 1000, bin.len() / 2, bin.len() - 1] {
        let error = import(&param, &bin[..kept], Some(NATIVE)).unwrap_err();
        assert!(matches!(error, ImportError::ShortBin { .. }), "{error}");
    }
    let longer = [bin.as_slice(), &[0; 8]].concat();
    let error = import(&param, &longer, Some(NATIVE))
        .unwrap_err()
        .to_string();
    assert!(error.contains("2397184 bytes, found 2397192"), "{error}");

    let damage = (
        prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        any::<Index>(),
        prop::bool::weighted(0.3),
    );
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |((edits, end, cut) in damage)| {
        let mut damaged = param.clone();
        for (at, byte) in edits {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        if cut {
            damaged.truncate(end.index(damaged.len()));
        }
        match import(&damaged, &bin, Some(NATIVE)) {
            Ok(onnx) => prop_assert!(onnx.len() < 6_000_000),
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("line ") || error.contains(" bytes"), "{}", error);
                prop_assert!(error.len() < 1000, "{}", error);
            }
        }
    });
}
