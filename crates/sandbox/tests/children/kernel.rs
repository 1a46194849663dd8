//! What the kernel answers to a confined process, whatever the engine in it may have become.

use std::{
    fs::{self, File},
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{fd::AsFd as _, unix::net::UnixDatagram},
    process::{Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, Resource, Rlimit, getppid, setrlimit, test_kill_process},
};
use sortie_sandbox::{ARGUMENT, Pool};

use crate::stage::{job_for, marked, options, pool, run_job, until};

pub(crate) const PROBE: &str = "__probe";

/// `__probe PORT [free]`: tries what no script can name, and prints one line for each answer.
pub(crate) fn probe() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let port: u16 = arguments[0].parse().unwrap();
    let parent = getppid();
    let raised = Rlimit { current: None, maximum: None };
    let mut said = String::new();
    if arguments.len() == 1 {
        // At the last moment before seccomp refuses everything, landlock refuses files alone.
        let (early, confinement) = sortie_sandbox::confine(1 << 30, || File::open("/dev/null").map(drop));
        if confinement.missing().all(|measure| measure.name != "landlock") {
            said += &line("read a file early", early);
        }
    }
    let program = std::env::current_exe();
    let parent = parent.map_or(Ok(()), |parent| test_kill_process(parent).map_err(Into::into));
    let answers: [(&str, std::io::Result<()>); 10] = [
        ("read a file", File::open("/dev/null").map(drop)),
        ("look into a folder", fs::read_dir("/proc").map(drop)),
        ("find the program", program.as_ref().map(drop).map_err(|error| error.kind().into())),
        ("connect", TcpStream::connect(("127.0.0.1", port)).map(drop)),
        ("listen", TcpListener::bind(("127.0.0.1", 0)).map(drop)),
        ("send datagrams", UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
        ("talk to a neighbour", UnixDatagram::pair().map(drop)),
        ("start a program", Command::new("/bin/true").stdin(Stdio::inherit()).status().map(drop)),
        ("start a thread", thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap())),
        ("signal the parent", parent),
    ];
    said.extend(answers.map(|(what, answer)| line(what, answer)));
    // Root could raise its own limits again.
    said += &line("raise a limit", setrlimit(Resource::Data, raised).map_err(Into::into));
    std::io::stdout().write_all(said.as_bytes()).unwrap();
    ExitCode::SUCCESS
}

fn line(what: &str, answer: std::io::Result<()>) -> String {
    format!("{what}: {}\n", answer.map_or_else(|error| format!("{:?}", error.kind()), |()| "done".to_owned()))
}

pub(crate) async fn the_kernel_refuses_what_no_script_can_name() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let answers = |more: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.arg(PROBE).arg(&port).args(more).env_clear().stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    // Without the confinement the same requests are granted: it is the kernel that says no, and not this machine.
    assert_eq!(answers(&["free"])[..10], vec!["done"; 10]);
    let refused = answers(&[]);
    assert!(refused.len() >= 11 && refused.iter().all(|answer| answer == "PermissionDenied"), "{refused:?}");
}

/// Looks at a child from outside while a script runs in it.
pub(crate) async fn a_living_child_has_nothing() {
    let mark = "a-living-child";
    let left_open = File::open("/proc/self/status").unwrap();
    fcntl_setfd(left_open.as_fd(), FdFlags::empty()).unwrap();
    let pool = Pool::new(options(ARGUMENT, mark));
    let run = run_job(&pool, job_for("export default () => { for (;;); }", Duration::from_secs(3)));
    let look = async {
        until("a script runs", || marked(mark).first().is_some_and(is_running)).await;
        let pid = marked(mark)[0];
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        let status = read("status");
        for line in
            ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "Threads:\t1"]
        {
            assert!(status.lines().any(|found| found == line), "{line} is not in {status}");
        }
        let limits = [
            ("Max cpu time", "5"),
            ("Max file size", "0"),
            ("Max data size", "436207616"),
            ("Max core file size", "0"),
            ("Max processes", "0"),
            ("Max open files", "3"),
            ("Max locked memory", "0"),
        ];
        for (name, expected) in limits {
            assert_eq!(limit_of(pid, name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(read("environ"), "TZ=UTC0\0");
        assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
        let mut open: Vec<String> = Vec::new();
        for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            open.push(fs::read_link(entry.unwrap().path()).unwrap().to_string_lossy().into_owned());
        }
        assert!(open.len() == 3 && open.iter().all(|to| to.starts_with("pipe:")), "{open:?}");
        let group = rustix::process::getpgid(Pid::from_raw(i32::try_from(pid).unwrap())).unwrap();
        assert_eq!(group.as_raw_nonzero().get().unsigned_abs(), pid);
    };
    let (ended, ()) = tokio::join!(run, look);
    ended.expect_err("it has no end");
}

/// Whether a child has got its job: the limit on the processor comes with it.
pub(crate) fn is_running(pid: &u32) -> bool {
    limit_of(*pid, "Max cpu time").is_some_and(|limit| limit != "unlimited")
}

fn limit_of(pid: u32, name: &str) -> Option<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().nth(1).map(str::to_owned)
}

pub(crate) async fn the_report_tells_what_holds() {
    let confinement = pool().confinement().await.unwrap();
    let names: Vec<&str> = confinement.measures.iter().map(|measure| measure.name.as_str()).collect();
    assert_eq!(names[..3], ["seccomp", "landlock", "limits"]);
    // What the kernel itself says of a process that we start is what the report has to say.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let has_seccomp = status.lines().any(|line| line.starts_with("Seccomp:"));
    assert_eq!(confinement.measures[0].missing.is_none(), has_seccomp, "{confinement}");
    assert!(confinement.to_string().starts_with("scripts are confined by "));
}
