//! `export`, killed while it writes a dataset.

use crate::common::{Desk, ended, files};
use crate::killing::{cut, whole};
use crate::kills;
use rand::SeedableRng;
use rand::rngs::StdRng;

#[test]
fn a_killed_export_goes_on_to_the_same_files_and_leaves_the_outdir_alone() {
    let names: Vec<String> = (0..60).map(|n| format!("모자 {n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let desk = Desk::with_icons(&names);
    desk.batch(&[]).expect(0);
    let outdir = files(&desk.path().join("out"));
    let mut random = StdRng::seed_from_u64(2);
    let formats = ["imagefolder", "webdataset", "parquet-images"];
    for (turn, format) in formats.into_iter().enumerate() {
        let to = |name: &str| {
            let args = [
                "export", "--outdir", "out", "--to", name, "--format", format,
            ];
            desk.plain(&[&args[..], &["--shard-size", "7"]].concat())
        };
        let (whole_name, cut_name) = (format!("whole-{turn}"), format!("cut-{turn}"));
        let time = whole(&mut to(&whole_name));
        let wanted = files(&desk.path().join(&whole_name));
        for _ in 0..kills().div_ceil(formats.len()) {
            let cut = cut(&mut to(&cut_name), time, &mut random);
            assert_eq!(
                files(&desk.path().join("out")),
                outdir,
                "the outdir was changed"
            );
            if cut.ended {
                std::fs::remove_dir_all(desk.path().join(&cut_name)).unwrap();
            }
        }
        ended(&mut to(&cut_name)).expect(0);
        let found = files(&desk.path().join(&cut_name));
        let differ: Vec<&String> = wanted
            .iter()
            .filter(|(name, bytes)| found.get(*name) != Some(*bytes))
            .map(|(name, _)| name)
            .collect();
        let extra: Vec<&String> = found
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .collect();
        assert!(
            differ.is_empty() && extra.is_empty(),
            "{format}: {differ:?} differ, {extra:?} are too many"
        );
    }
}
