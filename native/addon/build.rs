//! Besides what Node-API needs: links against the symbol versions of an older glibc, so that the
//! addon loads on systems that are older than the one that builds it (from 2.31 on, Debian 11).
//!
//! glibc 2.34 moved threads and `dlopen` into libc under a new version; the old versions are
//! still there for programs that ask for them. What asks is decided while linking, by the first
//! library that has the symbol. So two libraries come first that have nothing but these symbols
//! under their old versions, and the names of glibc's own libraries, which are what is loaded.
//! `src/old_glibc.rs` has the calls that were no symbols at all before glibc 2.33.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Library, then symbols with the version that x86-64 had them under first.
const OLD_SYMBOLS: [(&str, &[(&str, &str)]); 2] = [
    (
        "libpthread.so.0",
        &[
            ("pthread_attr_getstack", "GLIBC_2.2.5"),
            ("pthread_attr_setstacksize", "GLIBC_2.2.5"),
            ("pthread_create", "GLIBC_2.2.5"),
            ("pthread_detach", "GLIBC_2.2.5"),
            ("pthread_getattr_np", "GLIBC_2.2.5"),
            ("pthread_getspecific", "GLIBC_2.2.5"),
            ("pthread_join", "GLIBC_2.2.5"),
            ("pthread_key_create", "GLIBC_2.2.5"),
            ("pthread_key_delete", "GLIBC_2.2.5"),
            ("pthread_kill", "GLIBC_2.2.5"),
            ("pthread_once", "GLIBC_2.2.5"),
            ("pthread_setname_np", "GLIBC_2.12"),
            ("pthread_setspecific", "GLIBC_2.2.5"),
            ("pthread_sigmask", "GLIBC_2.2.5"),
        ],
    ),
    (
        "libdl.so.2",
        &[
            ("dladdr", "GLIBC_2.2.5"),
            ("dlclose", "GLIBC_2.2.5"),
            ("dlerror", "GLIBC_2.2.5"),
            ("dlopen", "GLIBC_2.2.5"),
            ("dlsym", "GLIBC_2.2.5"),
        ],
    ),
];

fn main() {
    napi_build::setup();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CC");
    println!("cargo:rustc-check-cfg=cfg(old_glibc)");
    let target = env::var("TARGET").unwrap_or_default();
    let first_version = match target.as_str() {
        "x86_64-unknown-linux-gnu" => None,
        // The architecture came with this version: nothing is older.
        "aarch64-unknown-linux-gnu" => Some("GLIBC_2.17"),
        _ => return,
    };
    if env::var("HOST").unwrap_or_default() != target {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives OUT_DIR"));
    println!("cargo:rustc-link-search=native={}", out.display());
    for (name, symbols) in OLD_SYMBOLS {
        let base = name.split('.').next().unwrap_or(name);
        let library = format!("mantou_old_{base}");
        if let Err(reason) = make_library(&out, &library, name, symbols, first_version) {
            println!("cargo:warning=the addon needs a glibc as new as this system's: {reason}");
            return;
        }
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    println!("cargo:rustc-cfg=old_glibc");
}

/// Makes a library that is only good for linking.
fn make_library(
    out: &Path,
    library: &str,
    soname: &str,
    symbols: &[(&str, &str)],
    first_version: Option<&str>,
) -> Result<(), String> {
    let mut source = String::new();
    let mut versions: Vec<(&str, Vec<&str>)> = Vec::new();
    for (symbol, version) in symbols {
        source += &format!("void {symbol}(void) {{}}\n");
        let version = first_version.unwrap_or(version);
        match versions.iter_mut().find(|(name, _)| *name == version) {
            Some((_, symbols)) => symbols.push(symbol),
            None => versions.push((version, vec![symbol])),
        }
    }
    let script: String = versions
        .iter()
        .map(|(version, symbols)| format!("{version} {{ global: {}; }};\n", symbols.join("; ")))
        .collect();
    let (c, map) = (
        out.join(format!("{library}.c")),
        out.join(format!("{library}.map")),
    );
    let written = std::fs::write(&c, source).and_then(|()| std::fs::write(&map, script));
    written.map_err(|error| error.to_string())?;
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let made = Command::new(&compiler)
        .args(["-shared", "-nostdlib", "-fPIC", "-fno-builtin", "-w"])
        .arg(format!("-Wl,-soname,{soname}"))
        .arg(format!("-Wl,--version-script={}", map.display()))
        .arg("-o")
        .arg(out.join(format!("lib{library}.so")))
        .arg(&c)
        .status();
    match made {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{compiler}: {status}")),
        Err(error) => Err(format!("{compiler}: {error}")),
    }
}
