#![expect(clippy::print_stderr, reason = "what was left out must be visible")]

use std::collections::BTreeSet;

use super::*;

/// What the program prints; standard error counts as a failure where it must be silent.
#[track_caller]
fn printed(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, error) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {out}{error}");
    (out, error)
}

fn has(program: &str) -> bool {
    let is_there = first_line(program, &["--version"]).is_some();
    if !is_there {
        eprintln!("skipped: {program} is not on this machine");
    }
    is_there
}

/// The package of the binary that the other tests use.
fn packed(output: &Path) -> PathBuf {
    let binary = target().unwrap().join("debug/sortie");
    // The tests of the binary itself have built it, in a run of all.
    if !binary.exists() {
        run("build", &mut cargo(&["build", "--locked", "--quiet", "-p", "sortie-cli", "--bin", "sortie"])).unwrap();
    }
    let compression = "none".to_owned();
    made(&Options { binary: Some(binary), output: Some(output.to_owned()), compression }).unwrap()
}

#[test]
fn a_package_has_what_it_says_and_runs_where_it_is_unpacked() {
    if !has("dpkg-deb") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let package = packed(folder.path());
    let package = package.to_str().unwrap();
    let (listed, _) = printed("dpkg-deb", &["-c", package]);
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/sortie"),
        ("-rw-r--r-- root/root", "./usr/lib/systemd/system/sortie.service"),
        ("-rw-r--r-- root/root", "./usr/lib/sysusers.d/sortie.conf"),
        ("-rw-r--r-- root/root", "./etc/sortie/serve.env"),
        ("-rw-r--r-- root/root", "./usr/share/doc/sortie/copyright"),
        ("-rw-r--r-- root/root", "./usr/share/doc/sortie/gallery/contain-risky-device.yaml"),
        ("-rw-r--r-- root/root", "./usr/share/bash-completion/completions/sortie"),
        ("drwxr-xr-x root/root", "./usr/share/doc/sortie/gallery/"),
    ] {
        let is_there = listed.lines().any(|line| line.starts_with(mode) && line.ends_with(&format!(" {path}")));
        assert!(is_there, "{mode} {path}\n{listed}");
    }
    assert!(!listed.lines().any(|line| line.contains("/var/")), "data is the service's own: {listed}");
    let version = env!("CARGO_PKG_VERSION");
    let (about, _) = printed("dpkg-deb", &["-f", package, "Package", "Version", "Depends"]);
    assert!(about.starts_with(&format!("Package: sortie\nVersion: {version}\nDepends: libc6 (>= 2.")), "{about}");
    let (conffiles, _) = printed("dpkg-deb", &["-I", package, "conffiles"]);
    assert_eq!(conffiles, "/etc/sortie/serve.env\n");
    let place = folder.path().join("root");
    let place = place.to_str().unwrap();
    printed("dpkg-deb", &["-x", package, place]);
    let binary = format!("{place}/usr/bin/sortie");
    assert_eq!(printed(&binary, &["--version"]).0, format!("sortie {version}\n"));
    let licences = fs::read_to_string(format!("{place}/usr/share/doc/sortie/dependencies")).unwrap();
    assert!(licences.contains("\nrustls v") && !licences.contains("\nsortie-"), "{licences}");
    verified(place, &binary);
}

/// The unit and the user of the unpacked package, as systemd reads them.
fn verified(place: &str, binary: &str) {
    let unit = fs::read_to_string(format!("{place}/usr/lib/systemd/system/sortie.service")).unwrap();
    // Longer than the server lets its runs come to an end.
    let (help, _) = printed(binary, &["serve", "--help"]);
    let grace = help.split("--grace").nth(1).unwrap().split("[default: ").nth(1).unwrap();
    let grace: u64 = grace.split(']').next().unwrap().parse().unwrap();
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s')).unwrap();
    assert!(stop.parse::<u64>().unwrap() > grace + 10, "{stop} {grace}");
    if has("systemd-analyze") {
        let file = format!("{place}/sortie.service");
        fs::write(&file, unit.replace("/usr/bin/sortie", binary)).unwrap();
        let (out, error) = printed("systemd-analyze", &["verify", &file]);
        assert_eq!((out.as_str(), error.as_str()), ("", ""), "what it cannot read it only tells");
        printed("systemd-analyze", &["security", "--offline=true", "--threshold=20", &file]);
    }
    if has("systemd-sysusers") {
        let (out, error) = printed("systemd-sysusers", &["--dry-run", &format!("--root={place}"), "sortie.conf"]);
        let told = format!("{out}{error}");
        assert!(told.contains("sortie") && !told.contains("ail"), "{told}");
    }
}

#[test]
fn scripts_of_the_package_are_shell() {
    for script in ["postinst", "prerm", "postrm"] {
        let path = root().join("packaging/debian").join(script);
        printed("sh", &["-n", path.to_str().unwrap()]);
        assert!(fs::read_to_string(&path).unwrap().starts_with("#!/bin/sh\nset -e\n"), "{script}");
    }
}

/// Calls that a child needs that confines itself, and the server that starts and ends it.
const NEEDED: &[&str] = &[
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "seccomp",
    "prctl",
    "prlimit64",
    "capset",
    "close_range",
    "execve",
    "clone3",
    "kill",
    "waitid",
    "pidfd_open",
];

#[test]
fn the_unit_lets_scripts_be_confined() {
    if !has("systemd-analyze") {
        return;
    }
    let unit = fs::read_to_string(root().join("packaging/sortie.service")).unwrap();
    let words = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")).flat_map(str::split_whitespace);
    let mut allowed = BTreeSet::new();
    words.for_each(|word| allow(word, &mut allowed));
    for call in NEEDED {
        assert!(allowed.contains(*call), "the unit refuses {call}");
    }
    for call in ["mount", "ptrace", "bpf", "kexec_load", "reboot"] {
        assert!(!allowed.contains(call), "the unit allows {call}");
    }
}

/// A call, or all calls of a group.
fn allow(word: &str, allowed: &mut BTreeSet<String>) {
    assert!(!word.starts_with('~'), "what is taken away again is not looked at here");
    if !word.starts_with('@') {
        allowed.insert(word.to_owned());
        return;
    }
    let (listed, _) = printed("systemd-analyze", &["syscall-filter", word]);
    for line in listed.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty()) {
        allow(line, allowed);
    }
}

#[test]
fn the_newest_library_that_is_asked_for_counts() {
    assert_eq!(glibc(b"..GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.4\0GLIBC_PRIVATE"), Some("2.34".to_owned()));
    assert_eq!(glibc(b"nothing"), None);
}
