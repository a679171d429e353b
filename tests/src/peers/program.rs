//! Programs: found, started on a free port, ended when the test ends.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use crate::trust::Authority;

/// How long a program may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long it may take to end when a test has ended.
const GRACE: Duration = Duration::from_secs(1);

/// Finds a peer, or says in one line that its tests are left out.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let var = format!("REGATTA_{}", program.to_uppercase().replace('-', "_"));
    let named = env::var_os(&var).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian's servers are in sbin, which is not in everybody's PATH.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found =
        named.or_else(|| folders.map(|folder| folder.join(program)).find(|file| file.is_file()));
    if found.is_none() {
        let required = env::var("REGATTA_REQUIRE_PEERS").is_ok_and(|value| value == "1");
        assert!(!required, "REGATTA_REQUIRE_PEERS is 1 and there is no {program}");
        println!("left out: there is no {program}, neither in {var} nor in PATH");
    }
    found
}

/// The `regatta` binary beside this test, built once.
pub(crate) fn regatta() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| ours("regatta", "REGATTA_BINARY"))
}

/// The `regatta-sim` binary beside this test, built once.
pub(crate) fn simulator() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| ours("regatta-sim", "REGATTA_SIM_BINARY"))
}

/// A binary of this workspace, or the one that the variable names.
fn ours(name: &str, var: &str) -> PathBuf {
    if let Some(named) = env::var_os(var) {
        return named.into();
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let test = env::current_exe().unwrap();
    // target/<profile>/deps/<test>: the binary goes to the folder above.
    let folder = test.parent().and_then(Path::parent).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", name, "--bin", name]);
    build.arg("--target-dir").arg(folder.parent().unwrap());
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let status = build.current_dir(root).status().unwrap();
    assert!(status.success(), "the {name} binary cannot be built");
    folder.join(name)
}

/// A port for a program that cannot choose its own. None of those that the system gives away by
/// itself, and nobody else's here while this process runs: who holds the same port of another
/// loopback address owns it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static OWNED: Mutex<Vec<TcpListener>> = Mutex::new(Vec::new());
    for _ in 0..10_000 {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let port = 20_000 + u16::try_from(number % 12_000).unwrap();
        match TcpListener::bind(("127.77.77.77", port)) {
            Ok(owned) if TcpListener::bind(("127.0.0.1", port)).is_ok() => {
                OWNED.lock().unwrap().push(owned);
                return port;
            }
            // Only Linux has all of 127.0.0.0/8.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => break,
            _ => {}
        }
    }
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something at this UDP port of 127.0.0.1 speaks QUIC: whoever does names its versions
/// to a datagram of a version that nobody has (RFC 9000 6.1).
pub(crate) fn until_quic(port: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    // A long header of version 0x1a2a3a4a with two connection ids, in a datagram that is not small.
    let mut asks = [0; 1_200];
    asks[..23].copy_from_slice(b"\xc0\x1a\x2a\x3a\x4a\x08dddddddd\x08ssssssss");
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let mut answer = [0; 1_500];
        // Refused, as long as nobody has the port; that is no reason to ask more often.
        if socket.send(&asks).is_ok() {
            match socket.recv(&mut answer) {
                Ok(7..) => return,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                _ => continue,
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody speaks QUIC at port {port}");
}

/// A folder of its own, gone with the test.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("regatta-tests-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and says where it is.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let file = self.0.join(name);
        fs::write(&file, content).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Where a file of that name is or will be.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// An authority's certificate and a server's for `localhost` and 127.0.0.1: the paths of
    /// `ca.pem`, `cert.pem` and `key.pem`.
    pub(crate) fn certificates(&self) -> (String, String, String) {
        let authority = Authority::new();
        let (certificate, key) = authority.server_pem(&["localhost", "127.0.0.1"]);
        (
            self.file("ca.pem", authority.pem()),
            self.file("cert.pem", certificate),
            self.file("key.pem", key),
        )
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    name: String,
    /// What it says, shown where the test fails.
    log: Option<Folder>,
}

impl Running {
    /// Starts it and waits until every port is listened on.
    pub(crate) fn start(command: &mut Command, ports: &[u16]) -> Self {
        Self::try_start(command, ports).unwrap_or_else(|why_not| panic!("{why_not}"))
    }

    /// As [`Self::start`]; else what it said.
    pub(crate) fn try_start(command: &mut Command, ports: &[u16]) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let log = Folder::new();
        let file = fs::File::create(log.path().join("log")).unwrap();
        let both = (file.try_clone().unwrap(), file);
        let child = command.stdin(Stdio::null()).stdout(both.0).stderr(both.1).spawn().unwrap();
        let mut running = Self { child, name, log: Some(log) };
        let begun = Instant::now();
        for port in ports {
            let at = SocketAddr::from(([127, 0, 0, 1], *port));
            while TcpStream::connect(at).is_err() {
                let ended = running.child.try_wait().unwrap();
                let late = begun.elapsed() > PATIENCE;
                if ended.is_some() || late {
                    let (name, said) = (&running.name, running.said());
                    return Err(format!("{name} ({ended:?}) does not listen on {at}\n{said}"));
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(running)
    }

    /// What it has said so far.
    fn said(&self) -> String {
        let log = self.log.as_ref().map(|log| fs::read(log.path().join("log")));
        let log = log.and_then(Result::ok).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal by name.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it ends by itself; whether it did so well.
    pub(crate) fn wait(mut self) -> bool {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(begun.elapsed() < PATIENCE, "{} does not end", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    /// TERM first, so that a program with children ends them too.
    fn drop(&mut self) {
        if thread::panicking() {
            println!("{} said:\n{}", self.name, self.said());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = self.child.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &pid]).status();
        }
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && begun.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `regatta origin`, and where it listens.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) running: Running,
    pub(crate) address: String,
}

impl Origin {
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut command = Command::new(regatta());
        command.args(["origin", "--listen", "127.0.0.1:0"]).args(options);
        let name = "regatta origin".to_owned();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let running = Running { child, name, log: None };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("said {line:?}")).to_owned();
        Self { running, address }
    }

    pub(crate) fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn https(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Its standard output; it ended well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        let end = self.out.len().saturating_sub(300);
        let end = String::from_utf8_lossy(&self.out.as_bytes()[end..]);
        assert_eq!(self.code, 0, "err: {}\nthe end of out: {end}", self.err);
        self.out
    }
}

/// Runs a program to its end.
pub(crate) fn say(program: impl AsRef<std::ffi::OsStr>, words: &[&str]) -> Said {
    let mut command = Command::new("timeout");
    // A program that hangs must not hang the tests.
    command.arg("120").arg(program).args(words).stdin(Stdio::null());
    said(command.output().unwrap())
}

fn said(Output { status, stdout, stderr }: Output) -> Said {
    Said {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// As [`say`], with this on its standard input.
pub(crate) fn say_reading(
    text: &str,
    program: impl AsRef<std::ffi::OsStr>,
    words: &[&str],
) -> Said {
    let mut command = Command::new("timeout");
    command.arg("120").arg(program).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Short enough for a pipe; who does not read it says so by how it ends.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    said(child.wait_with_output().unwrap())
}

/// Runs `regatta get`.
pub(crate) fn get(words: &[&str]) -> Said {
    say(regatta(), &[&["get"], words].concat())
}

/// Runs `regatta get` with this on its standard input.
pub(crate) fn get_reading(text: &str, words: &[&str]) -> Said {
    say_reading(text, regatta(), &[&["get"], words].concat())
}
