//! What a small client costs to build: seconds, bytes and packages, beside those that others make.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::run::{self, Outcome};

/// A program that gets one page over HTTP/1.1 or 2 and TLS.
struct Client {
    name: &'static str,
    dependencies: String,
    main: &'static str,
}

/// The three of them, and reqwest with what it brings by itself.
fn clients(root: &Path) -> [Client; 4] {
    let ours = format!(
        r#"regatta-tokio = {{ path = "{}/runtime-tokio" }}
http = "1"
http-body-util = "0.1"
bytes = "1"
tokio = {{ version = "1", features = ["rt", "net", "time"] }}
"#,
        root.display()
    );
    let hyper_util = r#"hyper = { version = "1", features = ["client", "http1", "http2"] }
hyper-util = { version = "0.1", features = ["client-legacy", "http1", "http2", "tokio"] }
http-body-util = "0.1"
bytes = "1"
tokio = { version = "1", features = ["rt", "net", "time"] }

[dependencies.hyper-rustls]
version = "0.27"
default-features = false
features = ["http1", "http2", "ring", "tls12", "native-tokio"]
"#;
    let reqwest = r#"tokio = { version = "1", features = ["rt", "net", "time"] }
reqwest = { version = "0.13", default-features = false, features = ["rustls-no-provider", "http2"] }
rustls = { version = "0.23", default-features = false, features = ["ring", "std", "tls12"] }
"#;
    let whole = r#"tokio = { version = "1", features = ["rt", "net", "time"] }
reqwest = "0.13"
"#;
    [
        Client { name: "regatta", dependencies: ours, main: REGATTA },
        Client { name: "hyper-util", dependencies: hyper_util.into(), main: HYPER_UTIL },
        Client { name: "reqwest, ring", dependencies: reqwest.into(), main: REQWEST_RING },
        Client { name: "reqwest, as it comes", dependencies: whole.into(), main: REQWEST },
    ]
}

const REGATTA: &str = r#"
use http_body_util::{BodyExt, Empty};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = regatta_tokio::client().build()?;
        let request = http::Request::get(url).body(Empty::<bytes::Bytes>::new())?;
        let body = client.request(request).await?.into_body().collect().await?;
        println!("{} bytes", body.to_bytes().len());
        Ok(())
    })
}
"#;

const HYPER_UTIL: &str = r#"
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_all_versions()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let request = hyper::Request::get(url).body(Empty::<bytes::Bytes>::new())?;
        let body = client.request(request).await?.into_body().collect().await?;
        println!("{} bytes", body.to_bytes().len());
        Ok(())
    })
}
"#;

const REQWEST_RING: &str = r#"
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{} bytes", reqwest::get(url).await?.bytes().await?.len());
        Ok(())
    })
}
"#;

const REQWEST: &str = r#"
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("a URL")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        println!("{} bytes", reqwest::get(url).await?.bytes().await?.len());
        Ok(())
    })
}
"#;

/// What a program came to.
struct Built {
    wall: Duration,
    cpu: Duration,
    size: u64,
    stripped: u64,
    packages: usize,
}

/// Builds them all in a temporary folder and prints the table.
pub(crate) fn run(root: &Path) -> Outcome {
    let folder = std::env::temp_dir().join(format!("regatta-builds-{}", std::process::id()));
    let mut lines = Vec::new();
    for client in clients(root) {
        let built = build(root, &folder, &client);
        // What was built is of no more use, whatever came of it.
        let _ = fs::remove_dir_all(&folder);
        let Built { wall, cpu, size, stripped, packages } = built?;
        lines.push(format!(
            "| {} | {:.0} | {:.0} | {size} | {stripped} | {packages} |",
            client.name,
            wall.as_secs_f64(),
            cpu.as_secs_f64()
        ));
    }
    println!(
        "\n## A small client\n\nOne GET over TLS and HTTP/1.1 or 2, tokio on one thread, the \
         system's roots: a clean `cargo build --release` with all sources there already, and the \
         packages of `cargo tree -e normal`.\n\n\
         | client | seconds | of them CPU | bytes | stripped | packages |\n\
         | --- | --- | --- | --- | --- | --- |"
    );
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn build(root: &Path, folder: &Path, client: &Client) -> Result<Built, String> {
    let write = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let source = folder.join("src");
    fs::create_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
    let manifest = format!(
        "[package]\nname = \"small\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\n{}",
        client.dependencies
    );
    write(folder.join("Cargo.toml"), &manifest)?;
    write(source.join("main.rs"), client.main)?;
    if client.name == "regatta" {
        // The versions that we are built with.
        write(folder.join("Cargo.lock"), &run::text(root, "Cargo.lock")?)?;
    }
    let target = folder.join("target").display().to_string();
    let vars = [("CARGO_TARGET_DIR".to_owned(), target)];
    run::quiet(folder, &["cargo", "fetch"], &vars)?;
    let (begun, before) = (Instant::now(), children()?);
    run::quiet(folder, &["cargo", "build", "--release", "--offline"], &vars)?;
    let (wall, cpu) = (begun.elapsed(), children()?.saturating_sub(before));
    let program = folder.join("target/release/small");
    let length = || fs::metadata(&program).map(|file| file.len());
    let size = length().map_err(|error| format!("{}: {error}", program.display()))?;
    run::quiet(folder, &["strip", "target/release/small"], &vars)?;
    let stripped = length().map_err(|error| format!("{}: {error}", program.display()))?;
    let tree = ["cargo", "tree", "--offline", "-e", "normal", "--prefix", "none"];
    let tree = run::read_with(folder, &tree, &vars)?;
    let mut packages: Vec<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    packages.sort_unstable();
    packages.dedup();
    Ok(Built { wall, cpu, size, stripped, packages: packages.len() })
}

/// CPU time of all commands that have ended, in the ticks of a hundredth of a second that Linux
/// tells it in.
fn children() -> Result<Duration, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // Behind the name, which may hold anything: user and system time of children are the 14th
    // and 15th.
    let behind = stat.rsplit_once(')').map(|(_, behind)| behind).unwrap_or_default();
    let ticks: u64 = behind
        .split_whitespace()
        .skip(13)
        .take(2)
        .filter_map(|word| word.parse::<u64>().ok())
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}
