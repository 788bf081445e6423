//! Compares every kernel with the portable one, and the portable one with dense products.

use super::*;
use candle_core::quantized::QTensor;

fn packed(weights: &Tensor, bits: Bits, instructions: InstructionSet) -> Int8Matrix {
    let rows = weights.to_vec2::<f32>().unwrap();
    let read = |row: usize, out: &mut [f32]| out.copy_from_slice(&rows[row]);
    Int8Matrix::packed(weights.dims2().unwrap(), bits, instructions, &read).unwrap()
}

fn args<'a>(bias: Option<&'a Tensor>, residual: Option<&'a Tensor>) -> EpilogueArgs<'a> {
    EpilogueArgs {
        bias,
        residual,
        ..EpilogueArgs::default()
    }
}

fn numbers(rows: usize, columns: usize, seed: usize) -> Tensor {
    let numbers =
        (0..rows * columns).map(|i| (((i + seed) * 2_654_435_761 % 1009) as f32 - 504.0) / 300.0);
    Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
}

#[test]
fn products_are_close_to_dense_ones() {
    // Expected rounding error of uniform values: 127 levels for weights and activations; with
    // 4-bit weights, 15 levels.
    let eight = [(32, 32), (16, 64), (100, 288), (16, 256), (67, 1536)];
    let eight = eight.map(|shape| (Bits::Eight, shape, 0.008));
    let four = [(16, 64), (100, 320), (67, 1536)].map(|shape| (Bits::Four, shape, 0.05));
    for (bits, (rows, columns), most) in eight.into_iter().chain(four) {
        let wide = numbers(rows, columns, 1);
        let matrix = packed(&wide, bits, InstructionSet::best());
        for tokens in [1, 7, 8, 9, 33, 200] {
            let x = numbers(tokens, columns, 5);
            let expected = x.matmul(&wide.t().unwrap()).unwrap();
            let got = matrix.forward(&x, EpilogueArgs::default()).unwrap();
            let off = (&got - &expected)
                .unwrap()
                .sqr()
                .unwrap()
                .mean_all()
                .unwrap();
            let size = expected.sqr().unwrap().mean_all().unwrap();
            let off = (off.to_scalar::<f32>().unwrap() / size.to_scalar::<f32>().unwrap()).sqrt();
            assert!(
                off < most,
                "{bits:?} {rows} x {columns}, {tokens} tokens: {off}"
            );
        }
        let ids = Tensor::new(&[rows as u32 - 1, 0], &Device::Cpu).unwrap();
        let got = matrix.gather(&ids).unwrap().to_vec2::<f32>().unwrap();
        let expected = wide.index_select(&ids, 0).unwrap();
        for (got, expected) in got.iter().zip(expected.to_vec2::<f32>().unwrap()) {
            for (got, expected) in got.iter().zip(expected) {
                // Half a level; with four bits, the largest values may be clipped.
                let most = match bits {
                    Bits::Eight => 0.51 * 1.7 / 127.0,
                    Bits::Four => 3.4 / 15.0,
                };
                assert!((got - expected).abs() <= most, "{got} {expected}");
            }
        }
        assert!(
            matrix
                .gather(&Tensor::new(&[rows as u32], &Device::Cpu).unwrap())
                .is_err()
        );
    }
}

#[test]
fn four_bit_error_is_close_to_that_of_gguf() {
    let (rows, columns) = (64, 512);
    let weights = Tensor::randn(0f32, 0.02, (rows, columns), &Device::Cpu).unwrap();
    let lost = |rounded: &Tensor| {
        let lost = (rounded - &weights).unwrap().sqr().unwrap();
        lost.mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt() / 0.02
    };
    let all: Vec<u32> = (0..rows as u32).collect();
    let all = Tensor::new(all, &Device::Cpu).unwrap();
    let ours = packed(&weights, Bits::Four, InstructionSet::Portable);
    let ours = lost(&ours.gather(&all).unwrap());
    let gguf = QTensor::quantize(&weights, GgmlDType::Q4K).unwrap();
    let gguf = lost(&gguf.dequantize(&Device::Cpu).unwrap());
    assert!(ours < 1.1 * gguf, "{ours} {gguf}");
}

/// On a processor without the instructions, this compares the portable kernel with itself.
#[test]
fn every_kernel_equals_the_portable_one() {
    for (bits, columns) in [(Bits::Eight, 288), (Bits::Eight, 512), (Bits::Four, 320)] {
        let weights = numbers(67, columns, 3);
        let portable = packed(&weights, bits, InstructionSet::Portable);
        let available = InstructionSet::ALL
            .into_iter()
            .filter(|it| it.is_available());
        let matrices = available.map(|instructions| packed(&weights, bits, instructions));
        let matrices: Vec<Int8Matrix> = matrices.collect();
        let bias = numbers(1, 67, 4).flatten_all().unwrap();
        for tokens in 1..20 {
            let (x, residual) = (numbers(tokens, columns, 9), numbers(tokens, 67, 2));
            let product = |matrix: &Int8Matrix| {
                let product = matrix
                    .forward(&x, args(Some(&bias), Some(&residual)))
                    .unwrap();
                product.to_vec2::<f32>().unwrap()
            };
            for matrix in &matrices {
                assert_eq!(
                    product(matrix),
                    product(&portable),
                    "{:?} {tokens}",
                    matrix.instructions
                );
            }
        }
    }
}

#[test]
fn the_largest_products_do_not_overflow() {
    let columns = 256;
    for (weight, value) in [(0.75, 2.0), (-0.75, 2.0), (0.75, -2.0)] {
        let weights = Tensor::full(weight, (32, columns), &Device::Cpu).unwrap();
        let x = Tensor::full(value, (5, columns), &Device::Cpu).unwrap();
        let expected = weight * value * columns as f32;
        let available = InstructionSet::ALL
            .into_iter()
            .filter(|it| it.is_available());
        for instructions in available {
            for bits in [Bits::Eight, Bits::Four] {
                let matrix = packed(&weights, bits, instructions);
                let product = matrix.forward(&x, EpilogueArgs::default()).unwrap();
                for got in product.flatten_all().unwrap().to_vec1::<f32>().unwrap() {
                    let off = (got - expected).abs();
                    assert!(
                        off < 0.5,
                        "{bits:?} {instructions:?}: {got}, not {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn throughput_is_measured_if_there_is_a_kernel() {
    match measure_throughput().unwrap() {
        Some((name, rate)) => assert!(!name.is_empty() && rate > 0.0),
        None => assert_eq!(InstructionSet::best(), InstructionSet::Portable),
    }
}

#[test]
fn a_matrix_is_restored_from_its_bytes() {
    for (bits, columns) in [(Bits::Eight, 96), (Bits::Eight, 256), (Bits::Four, 256)] {
        let matrix = packed(&numbers(67, columns, 3), bits, InstructionSet::best());
        let shape = (67, columns);
        let again = Int8Matrix::from_bytes(shape, bits, matrix.as_bytes()).unwrap();
        let x = numbers(3, columns, 9);
        let product = |matrix: &Int8Matrix| {
            let product = matrix.forward(&x, EpilogueArgs::default()).unwrap();
            product.to_vec2::<f32>().unwrap()
        };
        assert_eq!(product(&matrix), product(&again));
        let cut = &matrix.as_bytes()[64..];
        assert!(Int8Matrix::from_bytes(shape, bits, cut).is_err());
        assert!(Int8Matrix::from_bytes((99, columns), bits, matrix.as_bytes()).is_err());
    }
}

#[test]
fn gated_products_equal_swiglu_of_separate_ones() {
    let (rows, columns) = (48, 256);
    let (gates, values) = (numbers(rows, columns, 3), numbers(rows, columns, 8));
    let stacked = Tensor::cat(&[&gates, &values], 0).unwrap();
    let order: Vec<u32> = (0..2 * rows)
        .map(|row| gated_row(row, rows) as u32)
        .collect();
    let mixed = stacked.index_select(&Tensor::new(order, &Device::Cpu).unwrap(), 0);
    let mixed = mixed.unwrap();
    let x = numbers(11, columns, 9);
    for bits in [Bits::Eight, Bits::Four] {
        let apart = packed(&stacked, bits, InstructionSet::best());
        let apart = apart.forward(&x, EpilogueArgs::default()).unwrap();
        let expected = crate::vlm::nn::ops::swiglu(&apart).unwrap();
        for instructions in InstructionSet::ALL
            .into_iter()
            .filter(|it| it.is_available())
        {
            let got = packed(&mixed, bits, instructions)
                .forward_gated(&x)
                .unwrap();
            let off = (&got - &expected).unwrap().abs().unwrap();
            let off = off.flatten_all().unwrap().max(0).unwrap();
            assert!(
                off.to_scalar::<f32>().unwrap() < 1e-3,
                "{bits:?} {instructions:?}"
            );
        }
    }
    assert!(can_gate(rows) && !can_gate(rows + 1));
}

#[test]
fn a_bias_and_a_residual_are_added() {
    let matrix = packed(&numbers(40, 64, 3), Bits::Eight, InstructionSet::best());
    let (x, residual) = (numbers(9, 64, 9), numbers(9, 40, 2));
    let bias = numbers(1, 40, 4).flatten_all().unwrap();
    let plain = matrix.forward(&x, EpilogueArgs::default()).unwrap();
    let expected = (plain.broadcast_add(&bias).unwrap() + &residual).unwrap();
    let got = matrix
        .forward(&x, args(Some(&bias), Some(&residual)))
        .unwrap();
    assert_eq!(
        got.to_vec2::<f32>().unwrap(),
        expected.to_vec2::<f32>().unwrap()
    );
    assert!(matrix.forward(&x, args(Some(&residual), None)).is_err());
    assert!(matrix.forward(&x, args(None, Some(&bias))).is_err());
}

#[test]
fn a_token_gets_the_same_outputs_in_any_batch() {
    let matrix = packed(&numbers(64, 256, 3), Bits::Eight, InstructionSet::best());
    let x = numbers(21, 256, 9);
    let together = matrix
        .forward(&x, EpilogueArgs::default())
        .unwrap()
        .to_vec2::<f32>()
        .unwrap();
    for (row, together) in together.iter().enumerate() {
        let alone = matrix
            .forward(&x.narrow(0, row, 1).unwrap(), EpilogueArgs::default())
            .unwrap();
        assert_eq!(&alone.to_vec2::<f32>().unwrap()[0], together);
    }
}

#[test]
fn nan_and_infinity_survive_quantization() {
    let matrix = packed(&numbers(32, 32, 3), Bits::Eight, InstructionSet::best());
    for bad in [f32::NAN, f32::INFINITY] {
        let mut x = vec![1f32; 32];
        x[7] = bad;
        let x = Tensor::from_vec(x, (1, 32), &Device::Cpu).unwrap();
        let y = matrix
            .forward(&x, EpilogueArgs::default())
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        assert!(y[0].iter().all(|y| y.is_nan()));
    }
}
