//! Networks: ONNX files, and those of ncnn.

use shuffledet_onnx::half_weights::halve;
use shuffledet_onnx::input_size::resize;
use shuffledet_onnx::inspect::inspect;
use shuffledet_onnx::interface::Interface;
use shuffledet_onnx::layout::arrange;
use shuffledet_onnx::ncnn::{ImportError, import};
use shuffledet_onnx::{OnnxModel, remove_initializer_inputs};

use crate::draw::Draw;

/// Reads a file as loading a model does, and rewrites it in every way.
pub fn onnx_reader(input: &[u8]) -> bool {
    if OnnxModel::parse(input).is_err() {
        return false;
    }
    let _ = Interface::read(input);
    let _ = inspect(input);
    let _ = remove_initializer_inputs(input);
    for (width, height) in [(64, 32), (96, 96)] {
        if let Ok(resized) = resize(input, width, height) {
            assert!(
                OnnxModel::parse(&resized).is_ok(),
                "a resized network is none"
            );
        }
    }
    if let Ok(arranged) = arrange(input, 8) {
        assert!(
            OnnxModel::parse(&arranged.onnx).is_ok(),
            "an arranged network is none"
        );
    }
    if let Ok(halved) = halve(input) {
        assert!(
            OnnxModel::parse(&halved).is_ok(),
            "a network of 16 bits is none"
        );
    }
    true
}

/// The `.param` file with its length before it, then the `.bin` file.
pub fn import_ncnn(input: &[u8]) -> bool {
    let mut draw = Draw(input);
    let param = draw.part();
    match import(param, draw.0, None) {
        Ok(onnx) => {
            assert!(
                OnnxModel::parse(&onnx).is_ok(),
                "an imported network is none"
            );
            true
        }
        // the first check: the lines are layers
        Err(error) => !matches!(
            error,
            ImportError::Param { .. } | ImportError::TooLarge { .. }
        ),
    }
}

pub mod seeds {
    use super::*;
    use crate::draw::part;

    /// Lines of layers behind an input `in` of 4 channels, 6 columns and 4 rows, and the number of plain floats that
    /// they read.
    const NETWORKS: [(&str, usize); 4] = [
        // a unit of ShuffleNet V2
        (
            "Slice halves 1 2 in left right -23300=2,-233,-233
            ConvolutionDepthWise deep 1 1 right a 0=2 1=3 4=1 5=1 6=18 7=2 9=1
            Concat joined 2 1 left a both
            ShuffleChannel shuffled 1 1 both out 0=2",
            1 + 18 + 2,
        ),
        (
            "Convolution point 1 1 in a 0=4 1=1 5=1 6=16 9=2 -23310=1,1.000000e-01
            Pooling max 1 1 a b 0=0 1=2 2=2
            Interp nearest 1 1 b c 0=1 1=2.0 2=2.0
            BinaryOp add 2 1 c in out 0=0",
            1 + 16 + 4,
        ),
        (
            "Split s 1 3 in a b c
            Reshape two 1 1 a a1 0=-1 1=4
            Permute turned 1 1 a1 a2 0=1
            Softmax soft 1 1 b b1 0=0 1=1
            Sigmoid score 1 1 c c1
            Crop part 1 1 c1 c2 -23309=2,1,-3 -23310=2,-1,-233 -23311=2,0,-1",
            0,
        ),
        (
            "MemoryData rows 0 1 m 0=4 1=4
            InnerProduct dense 1 1 in a 0=4 1=1 2=384
            BatchNorm norm 1 1 in b 0=4 1=0.001
            Padding zero 1 1 b c 0=1 1=1 2=1 3=1",
            16 + 1 + 384 + 4 + 16,
        ),
    ];

    fn files((layers, floats): (&str, usize)) -> (String, Vec<u8>) {
        let lines: Vec<_> = layers.lines().map(str::trim).collect();
        let blobs: usize = lines
            .iter()
            .filter_map(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok())
            .sum();
        let count = lines.len() + 1;
        let param = format!(
            "7767517\n{count} {}\nInput input 0 1 in 0=6 1=4 2=4\n{}\n",
            blobs + 1,
            lines.join("\n")
        );
        // the first is the tag of plain floats
        let values = (0..floats).map(|at| if at == 0 { 0.0 } else { at as f32 / 64.0 });
        (param, values.flat_map(f32::to_le_bytes).collect())
    }

    pub fn import_ncnn() -> Vec<Vec<u8>> {
        let join = |(param, bin): (String, Vec<u8>)| [part(param.as_bytes()), bin].concat();
        NETWORKS.map(files).map(join).into()
    }

    /// Networks of ncnn, imported.
    pub fn onnx_reader() -> Vec<Vec<u8>> {
        let imported = NETWORKS
            .map(files)
            .map(|(param, bin)| import(param.as_bytes(), &bin, None));
        imported.into_iter().flatten().collect()
    }
}
