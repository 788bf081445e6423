//! Kills `export` while it writes a dataset.

use crate::common::{Desk, ended, files};
use crate::killing::{run_and_kill, run_to_end};
use crate::kills;
use rand::SeedableRng;
use rand::rngs::StdRng;

#[test]
fn a_resumed_export_writes_the_same_files_and_leaves_the_outdir_unchanged() {
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
        let (complete_name, cut_name) = (format!("complete-{turn}"), format!("cut-{turn}"));
        let time = run_to_end(&mut to(&complete_name));
        let expected = files(&desk.path().join(&complete_name));
        for _ in 0..kills().div_ceil(formats.len()) {
            let run = run_and_kill(&mut to(&cut_name), time, &mut random);
            assert_eq!(
                files(&desk.path().join("out")),
                outdir,
                "the outdir was changed"
            );
            if run.ended {
                std::fs::remove_dir_all(desk.path().join(&cut_name)).unwrap();
            }
        }
        ended(&mut to(&cut_name)).expect(0);
        let found = files(&desk.path().join(&cut_name));
        let differ: Vec<&String> = expected
            .iter()
            .filter(|(name, bytes)| found.get(*name) != Some(*bytes))
            .map(|(name, _)| name)
            .collect();
        let extra: Vec<&String> = found
            .keys()
            .filter(|name| !expected.contains_key(*name))
            .collect();
        assert!(
            differ.is_empty() && extra.is_empty(),
            "{format}: {differ:?} differ, {extra:?} are extra"
        );
    }
}
