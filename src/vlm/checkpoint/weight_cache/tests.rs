use super::*;
use candle_core::Tensor;

fn matrix(rows: usize, columns: usize) -> Tensor {
    let numbers = (0..rows * columns).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0);
    Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
}

#[test]
fn mapped_weights_compute_the_same_as_written_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/q.gguf");
    let mut writer = Writer::create(&path).unwrap();
    let shapes = [
        ("small", GgmlDType::Q8_0, (3, 32)),
        ("packed", GgmlDType::Q8_0, (48, 256)),
        ("k", GgmlDType::Q4K, (32, 512)),
    ];
    let mut written = Vec::new();
    for (name, dtype, shape) in shapes {
        let tensor = QTensor::quantize(&matrix(shape.0, shape.1), dtype).unwrap();
        writer.put(name, &tensor).unwrap();
        written.push(tensor);
    }
    assert!(!path.exists());
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap().unwrap();
    for ((name, dtype, shape), tensor) in shapes.into_iter().zip(&written) {
        let mapped = reader.get(name, dtype, &shape.into()).unwrap();
        assert_eq!(
            mapped.tensor.data().unwrap(),
            tensor.data().unwrap(),
            "{name}"
        );
        let mapped = mapped.repack().unwrap();
        let ids = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        for rows in [1, 5, 40] {
            let x = matrix(rows, shape.1);
            let got = x
                .apply_op1_no_bwd(&mapped)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap();
            let expected = x
                .apply_op1_no_bwd(tensor)
                .unwrap()
                .to_vec2::<f32>()
                .unwrap();
            assert_eq!(got, expected, "{name} {rows}");
        }
        assert_eq!(
            mapped.embedding(&ids).unwrap().to_vec2::<f32>().unwrap(),
            tensor.embedding(&ids).unwrap().to_vec2::<f32>().unwrap()
        );
    }
}

#[test]
fn anything_but_the_requested_weights_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.gguf");
    assert!(Reader::open(&path).unwrap().is_none());
    let mut writer = Writer::create(&path).unwrap();
    let tensor = QTensor::quantize(&matrix(64, 256), GgmlDType::Q8_0).unwrap();
    writer.put("a", &tensor).unwrap();
    writer.finish().unwrap();
    let reader = Reader::open(&path).unwrap().unwrap();
    let shape = Shape::from((64, 256));
    assert!(reader.get("b", GgmlDType::Q8_0, &shape).is_err());
    assert!(reader.get("a", GgmlDType::Q4K, &shape).is_err());
    assert!(
        reader
            .get("a", GgmlDType::Q8_0, &Shape::from((256, 64)))
            .is_err()
    );
    drop(reader);

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    assert!(Reader::open(&path).is_err());
    for (at, is_of_table) in [
        (0, true),
        (40, true),
        (TABLE_BYTES, false),
        (bytes.len() - 9, false),
    ] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        match Reader::open(&path) {
            Ok(reader) => {
                let reader = reader.unwrap();
                assert!(!is_of_table, "byte {at}");
                assert!(
                    reader.get("a", GgmlDType::Q8_0, &shape).is_err(),
                    "byte {at}"
                );
            }
            Err(_) => assert!(is_of_table, "byte {at}"),
        }
    }
    for junk in [&b"GGUF"[..], b"", b"not a gguf file at all", &bytes[..1000]] {
        std::fs::write(&path, junk).unwrap();
        assert!(Reader::open(&path).is_err());
    }
}

#[test]
fn a_changed_checkpoint_has_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("model.safetensors");
    for name in ["config.json", "preprocessor_config.json", "tokenizer.json"] {
        std::fs::write(folder.path().join(name), "{}").unwrap();
    }
    let key = |content: &[u8], form: &str| {
        std::fs::write(&weights, content).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let file = std::fs::File::options().write(true).open(&weights).unwrap();
        file.set_modified(time).unwrap();
        let files = CheckpointFiles::folder(folder.path()).unwrap();
        cache_file(Path::new("cache"), &files, form)
            .unwrap()
            .unwrap()
    };
    let first = key(b"weights", "q8_0");
    assert_eq!(first, key(b"weights", "q8_0"));
    assert_ne!(first, key(b"weightz", "q8_0"));
    assert_ne!(first, key(b"weights", "q4k"));
}
