//! The simulated machine itself: what it must forget, may forget, and must keep.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use mantou_log_core::sim::{Call, Fault, FaultRule, SimOptions, SimVfs, When};
use mantou_log_core::vfs::{OpenMode, RangeSync, Vfs, VfsFile, read_file, write_all, write_file};

fn machine() -> SimVfs {
    let vfs = SimVfs::default();
    vfs.mkdir(Path::new("/d")).unwrap();
    vfs.fsync_dir(Path::new("/")).unwrap();
    vfs
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new("/d").join(name)
}

/// A file whose entry and `bytes` are durable.
fn durable_file(vfs: &SimVfs, name: &str, bytes: &[u8]) -> std::sync::Arc<dyn VfsFile> {
    let file = vfs.open(&path(name), OpenMode::CreateNew).unwrap();
    write_all(&*file, bytes, 0).unwrap();
    file.fsync().unwrap();
    vfs.fsync_dir(Path::new("/d")).unwrap();
    file
}

fn outcomes(vfs: &SimVfs, name: &str) -> BTreeSet<Option<Vec<u8>>> {
    vfs.survivors(7, 200)
        .iter()
        .map(|vfs| vfs.contents(&path(name)))
        .collect()
}

#[test]
fn what_was_synced_survives_and_nothing_else_must() {
    let vfs = machine();
    let file = durable_file(&vfs, "a", b"safe");
    write_all(&*file, b"maybe", 4).unwrap();
    let found = outcomes(&vfs, "a");
    assert!(
        found
            .iter()
            .all(|bytes| bytes.as_ref().unwrap().starts_with(b"safe"))
    );
    assert!(found.contains(&Some(b"safe".to_vec())));
    assert!(found.contains(&Some(b"safemaybe".to_vec())));
    assert!(
        found.contains(&Some(b"safe\0\0\0\0\0".to_vec())),
        "a size without its data"
    );
    file.fdatasync().unwrap();
    assert_eq!(
        outcomes(&vfs, "a"),
        BTreeSet::from([Some(b"safemaybe".to_vec())])
    );
    assert_eq!(vfs.contents(&path("a")), vfs.durable_contents(&path("a")));
}

#[test]
fn a_write_may_be_torn_at_any_sector() {
    let vfs = machine();
    let file = durable_file(&vfs, "a", &[1; 2048]);
    write_all(&*file, &[2; 2048], 0).unwrap();
    let found = outcomes(&vfs, "a");
    assert_eq!(found.len(), 16, "every subset of four sectors");
    for bytes in found.iter().flatten() {
        assert!(
            bytes
                .chunks(512)
                .all(|sector| sector.iter().all(|byte| *byte == sector[0]))
        );
    }
}

#[test]
fn names_need_the_folder_synced() {
    let vfs = machine();
    let file = vfs.open(&path("new"), OpenMode::CreateNew).unwrap();
    write_all(&*file, b"x", 0).unwrap();
    file.fsync().unwrap();
    let found = outcomes(&vfs, "new");
    assert_eq!(found, BTreeSet::from([None, Some(b"x".to_vec())]));
    vfs.fsync_dir(Path::new("/d")).unwrap();
    assert_eq!(outcomes(&vfs, "new"), BTreeSet::from([Some(b"x".to_vec())]));
    vfs.rename(&path("new"), &path("old")).unwrap();
    for survivor in vfs.survivors(3, 50) {
        let names = (
            survivor.contents(&path("new")),
            survivor.contents(&path("old")),
        );
        assert!(
            names.0.is_some() != names.1.is_some(),
            "a rename is one step: {names:?}"
        );
    }
    vfs.unlink(&path("old")).unwrap();
    vfs.fsync_dir(Path::new("/d")).unwrap();
    assert_eq!(outcomes(&vfs, "old"), BTreeSet::from([None]));
    assert_eq!(outcomes(&vfs, "new"), BTreeSet::from([None]));
}

#[test]
fn replacing_a_file_leaves_the_old_or_the_new_at_every_crash() {
    for nth in 0.. {
        let vfs = machine();
        write_file(&vfs, &path("f"), b"old").unwrap();
        vfs.crash_at(nth);
        let written = write_file(&vfs, &path("f"), b"new");
        if written.is_ok() {
            assert!(nth > 4);
            assert_eq!(outcomes(&vfs, "f"), BTreeSet::from([Some(b"new".to_vec())]));
            return;
        }
        assert!(vfs.has_crashed());
        for bytes in outcomes(&vfs, "f") {
            let bytes = bytes.expect("one of the two");
            assert!(bytes == b"old" || bytes == b"new", "at {nth}: {bytes:?}");
        }
        assert!(
            vfs.open(&path("f"), OpenMode::Read).is_err(),
            "a stopped machine does nothing"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_survivors() {
    let vfs = machine();
    let file = durable_file(&vfs, "a", &[1; 9000]);
    write_all(&*file, &[2; 9000], 100).unwrap();
    file.truncate(5000).unwrap();
    let all = |seed| -> Vec<Option<Vec<u8>>> {
        vfs.survivors(seed, 40)
            .iter()
            .map(|vfs| vfs.contents(&path("a")))
            .collect()
    };
    assert_eq!(all(1), all(1));
    assert_ne!(all(1), all(2));
    let boots: BTreeSet<String> = vfs
        .survivors(1, 2)
        .iter()
        .map(|vfs| vfs.boot_id())
        .collect();
    assert!(boots.len() == 1 && !boots.contains(&vfs.boot_id()));
}

#[test]
fn a_killed_process_leaves_the_page_cache() {
    let vfs = machine();
    let file = durable_file(&vfs, "a", b"safe");
    assert!(file.try_lock().unwrap());
    write_all(&*file, b"more", 4).unwrap();
    let killed = vfs.after_kill();
    assert_eq!(killed.boot_id(), vfs.boot_id());
    assert_eq!(killed.contents(&path("a")), Some(b"safemore".to_vec()));
    let lock = killed.open(&path("a"), OpenMode::ReadWrite).unwrap();
    assert!(lock.try_lock().unwrap());
    assert!(outcomes(&killed, "a").contains(&Some(b"safe".to_vec())));
    let second = killed.open(&path("a"), OpenMode::ReadWrite).unwrap();
    assert!(!second.try_lock().unwrap());
    drop(lock);
    assert!(second.try_lock().unwrap());
}

#[test]
fn a_failed_sync_loses_pages_and_the_next_one_lies() {
    let mut lost = 0;
    for seed in 0..20 {
        let vfs = SimVfs::new(SimOptions {
            seed,
            ..SimOptions::default()
        });
        vfs.mkdir(Path::new("/d")).unwrap();
        vfs.fsync_dir(Path::new("/")).unwrap();
        let file = durable_file(&vfs, "a", &[1; 8192]);
        write_all(&*file, &[2; 8192], 0).unwrap();
        let fault = Fault::Errno(libc::EIO);
        vfs.inject(FaultRule::once(When::Only(Call::Fdatasync), 0, fault));
        assert_eq!(
            file.fdatasync().unwrap_err().raw_os_error(),
            Some(libc::EIO)
        );
        file.fdatasync().expect("the next one succeeds");
        assert_eq!(
            vfs.contents(&path("a")),
            Some(vec![2; 8192]),
            "cached reads see the bytes"
        );
        lost += usize::from(vfs.durable_contents(&path("a")) != Some(vec![2; 8192]));
    }
    assert!(lost > 10, "{lost} of 20 lost something");
}

#[test]
fn a_flush_covers_written_back_pages_of_other_files_only_without_missing_metadata() {
    let written_back = |vfs: &SimVfs, file: &dyn VfsFile, offset: u64| {
        let other = durable_file(vfs, "other", b"");
        write_all(file, &[7; 4096], offset).unwrap();
        file.sync_file_range(offset, 4096, RangeSync::Start)
            .unwrap();
        file.sync_file_range(offset, 4096, RangeSync::Wait).unwrap();
        other.fdatasync().unwrap();
        outcomes(vfs, "a")
            .iter()
            .flatten()
            .all(|bytes| bytes.get(offset as usize..offset as usize + 4096) == Some(&[7; 4096]))
    };
    let vfs = machine();
    let file = durable_file(&vfs, "a", &[0; 8192]);
    assert!(
        written_back(&vfs, &*file, 4096),
        "written and synced blocks"
    );
    let vfs = machine();
    let file = durable_file(&vfs, "a", &[0; 8192]);
    assert!(
        !written_back(&vfs, &*file, 8192),
        "the size is not committed"
    );
    let vfs = machine();
    let file = durable_file(&vfs, "a", b"");
    file.allocate(0, 8192).unwrap();
    file.fsync().unwrap();
    assert!(
        !written_back(&vfs, &*file, 4096),
        "reserved blocks are not converted"
    );
    let vfs = machine();
    let file = durable_file(&vfs, "a", b"");
    file.write_zeros(0, 8192).unwrap();
    file.fsync().unwrap();
    assert!(written_back(&vfs, &*file, 4096), "zeros were written ahead");
}

#[test]
fn a_full_volume_refuses_and_truncation_gives_room() {
    let options = SimOptions {
        capacity: Some(16 << 10),
        ..SimOptions::default()
    };
    let vfs = SimVfs::new(options);
    vfs.mkdir(Path::new("/d")).unwrap();
    let file = vfs.open(&path("a"), OpenMode::Create).unwrap();
    assert_eq!(file.pwrite(&[1; 20_000], 100).unwrap(), (16 << 10) - 100);
    let full = file.pwrite(&[1; 1], 16 << 10).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert_eq!(
        file.pwrite(&[2; 4096], 0).unwrap(),
        4096,
        "overwriting takes nothing"
    );
    assert_eq!(vfs.volume(Path::new("/d")).unwrap().free_bytes, 0);
    file.truncate(4096).unwrap();
    assert_eq!(vfs.volume(Path::new("/d")).unwrap().free_bytes, 12 << 10);
    assert!(file.allocate(4096, 16 << 10).is_err());
    file.allocate(4096, 12 << 10).unwrap();
    vfs.unlink(&path("a")).unwrap();
    assert_eq!(
        vfs.volume(Path::new("/d")).unwrap().free_bytes,
        0,
        "open files keep their blocks"
    );
    drop(file);
    assert_eq!(vfs.volume(Path::new("/d")).unwrap().free_bytes, 16 << 10);
}

#[test]
fn faults_meet_the_call_they_were_made_for() {
    let vfs = machine();
    let a = durable_file(&vfs, "a.log", b"");
    let b = durable_file(&vfs, "b.index", b"");
    let write = When::Only(Call::Write);
    vfs.inject(FaultRule::once(write, 1, Fault::Errno(libc::EIO)).on(".log"));
    vfs.inject(FaultRule::from(write, 1, Fault::Errno(libc::ENOSPC)).on(".index"));
    vfs.inject(FaultRule::once(write, 3, Fault::Short(2)).on(".log"));
    assert_eq!(a.pwrite(b"1234", 0).unwrap(), 4);
    assert_eq!(b.pwrite(b"1234", 0).unwrap(), 4);
    assert_eq!(
        a.pwrite(b"1234", 4).unwrap_err().raw_os_error(),
        Some(libc::EIO)
    );
    assert_eq!(a.pwrite(b"1234", 4).unwrap(), 4);
    assert_eq!(a.pwrite(b"1234", 8).unwrap(), 2);
    for _ in 0..3 {
        assert_eq!(
            b.pwrite(b"1234", 4).unwrap_err().raw_os_error(),
            Some(libc::ENOSPC)
        );
    }
    assert_eq!(vfs.faults_met(), 5);
    vfs.clear_faults();
    assert_eq!(b.pwrite(b"1234", 4).unwrap(), 4);
    assert_eq!(
        read_file(&vfs, &path("a.log"), 100).unwrap(),
        Some(b"1234123412".to_vec())
    );
}

#[test]
fn folders_behave_as_folders() {
    let vfs = machine();
    assert_eq!(
        vfs.mkdir(Path::new("/d")).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(
        vfs.mkdir(Path::new("/x/y")).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    vfs.mkdir(&path("sub")).unwrap();
    drop(vfs.open(&path("sub/f"), OpenMode::Create).unwrap());
    assert_eq!(
        vfs.rmdir(&path("sub")).unwrap_err().kind(),
        ErrorKind::DirectoryNotEmpty
    );
    vfs.rename(&path("sub"), &path("gone")).unwrap();
    assert!(vfs.metadata(&path("sub")).unwrap().is_none());
    assert!(vfs.metadata(&path("gone/f")).unwrap().is_some());
    assert!(vfs.rename(&path("gone"), &path("gone/deeper")).is_err());
    assert_eq!(
        vfs.unlink(&path("gone")).unwrap_err().raw_os_error(),
        Some(libc::EISDIR)
    );
    vfs.unlink(&path("gone/f")).unwrap();
    vfs.rmdir(&path("gone")).unwrap();
    assert_eq!(vfs.read_dir(Path::new("/d")).unwrap(), []);
    let twice = vfs.open(&path("f"), OpenMode::CreateNew).unwrap();
    drop(twice);
    let again = vfs.open(&path("f"), OpenMode::CreateNew).err().unwrap();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert_eq!(
        vfs.open(&path("g"), OpenMode::Read).err().unwrap().kind(),
        ErrorKind::NotFound
    );
}
