use super::*;
use candle_core::Tensor;

fn matrix(rows: usize, columns: usize) -> Tensor {
    let numbers = (0..rows * columns).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0);
    Tensor::from_vec(numbers.collect::<Vec<_>>(), (rows, columns), &Device::Cpu).unwrap()
}

/// Quantizes a test matrix through `cache`.
fn tensor(
    cache: &WeightCache,
    name: &str,
    dtype: GgmlDType,
    shape: (usize, usize),
) -> QuantizedTensor {
    cache
        .tensor(name, dtype, shape, &Device::Cpu, || {
            QTensor::quantize(&matrix(shape.0, shape.1), dtype)
        })
        .unwrap()
}

#[test]
fn mapped_weights_compute_the_same_as_written_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/q.weights");
    let written = WeightCache::write(CacheWriter::create(&path).unwrap());
    let shapes = [
        ("small", GgmlDType::Q8_0, (3, 32)),
        ("packed", GgmlDType::Q8_0, (48, 256)),
        ("k", GgmlDType::Q4K, (32, 512)),
    ];
    for (name, dtype, shape) in shapes {
        tensor(&written, name, dtype, shape);
    }
    assert!(!path.exists());
    assert!(written.finish().unwrap());
    let mapped = WeightCache::map(CacheReader::open(&path).unwrap().unwrap());
    for (name, dtype, shape) in shapes {
        let expected = tensor(&WeightCache::Off, name, dtype, shape).tensor;
        let quantize = || panic!("it is in the file");
        let got = mapped.tensor(name, dtype, shape, &Device::Cpu, quantize);
        let got = got.unwrap();
        assert_eq!(
            got.tensor.data().unwrap(),
            expected.data().unwrap(),
            "{name}"
        );
        let got = got.repack().unwrap();
        let ids = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        for rows in [1, 5, 40] {
            let x = matrix(rows, shape.1);
            let product = |tensor: &QTensor| {
                let product = x.apply_op1_no_bwd(tensor).unwrap();
                product.to_vec2::<f32>().unwrap()
            };
            assert_eq!(product(&got), product(&expected), "{name} {rows}");
        }
        let embedded = |tensor: &QTensor| {
            let rows = tensor.embedding(&ids).unwrap();
            rows.to_vec2::<f32>().unwrap()
        };
        assert_eq!(embedded(&got), embedded(&expected));
    }
}

/// Reads the bytes of `name` out of the file.
fn read(
    reader: CacheReader,
    name: &str,
    kind: &str,
    shape: (usize, usize),
) -> candle_core::Result<Vec<u8>> {
    WeightCache::map(reader).matrix(
        name,
        kind,
        shape,
        |bytes| Ok(bytes.to_vec()),
        || panic!("it is in the file"),
        |bytes: &Vec<u8>| bytes,
    )
}

#[test]
fn missing_mismatched_or_damaged_weights_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.weights");
    assert!(CacheReader::open(&path).unwrap().is_none());
    let data: Vec<u8> = (0..5000u32).map(|i| (i * 31 % 251) as u8).collect();
    let written = WeightCache::write(CacheWriter::create(&path).unwrap());
    for (name, data) in [("a", &data), ("b", &data[..100].to_vec())] {
        let made = written.matrix(
            name,
            "int8",
            (64, 256),
            |_| panic!("the file is still empty"),
            || Ok(data.clone()),
            |it| it,
        );
        assert_eq!(made.unwrap(), *data);
    }
    written.finish().unwrap();
    let open = || CacheReader::open(&path).unwrap().unwrap();
    assert_eq!(read(open(), "a", "int8", (64, 256)).unwrap(), data);
    assert_eq!(read(open(), "b", "int8", (64, 256)).unwrap(), data[..100]);
    assert!(read(open(), "c", "int8", (64, 256)).is_err());
    assert!(read(open(), "a", "int4", (64, 256)).is_err());
    assert!(read(open(), "a", "int8", (256, 64)).is_err());

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    assert!(CacheReader::open(&path).is_err());
    let length = bytes.len();
    for (at, is_in_table) in [
        (0, false),
        (4999, false),
        (length - 100, true),
        (length - 12, true),
        (length - 1, true),
    ] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        match CacheReader::open(&path) {
            Ok(reader) => {
                assert!(!is_in_table, "byte {at}");
                let got = read(reader.unwrap(), "a", "int8", (64, 256));
                assert!(got.is_err(), "byte {at}");
            }
            Err(_) => assert!(is_in_table, "byte {at}"),
        }
    }
    for junk in [
        &b"GGUF"[..],
        b"",
        b"some other kind of file",
        &bytes[..1000],
    ] {
        std::fs::write(&path, junk).unwrap();
        assert!(CacheReader::open(&path).is_err());
    }
}

#[test]
fn a_changed_checkpoint_gets_a_new_cache_file() {
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
