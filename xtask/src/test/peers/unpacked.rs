//! HTTP/3 as Debian's stable suite does not have it: programs of a newer suite, unpacked beside
//! the system with the libraries and the loader they were made with. Nothing of the system or of
//! apt's settings changes, and nobody has to be root. Kept in the user's cache, so that it is done
//! once on a machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Installed;
use crate::run::{self, Outcome};

/// Where the programs come from; older suites have them without HTTP/3.
const SUITE: &str = "forky";

/// What the tests call it, its Debian package, and where it lies there.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("curl_http3", "curl", "usr/bin/curl"),
    ("nginx_http3", "nginx", "usr/sbin/nginx"),
    ("haproxy_http3", "haproxy", "usr/sbin/haproxy"),
    ("caddy_http3", "caddy", "usr/bin/caddy"),
];

/// Names the programs, after unpacking them where that is yet to be done.
pub(super) fn install(root: &Path) -> Installed {
    let named = |name| env::var_os(super::var(name)).map(PathBuf::from);
    let missing = PROGRAMS.iter().any(|(name, ..)| named(name).is_none());
    let packages = PROGRAMS.map(|(_, package, _)| package);
    let unpack = || Suite::new(root)?.unpack("programs", &packages);
    let tree = if missing { unpack() } else { Ok(PathBuf::new()) };
    let programs = PROGRAMS.map(|(name, package, place)| {
        let made = || {
            let tree = tree.clone()?;
            let program = tree.join(place);
            if !program.is_file() {
                return Err(format!("{SUITE}'s {package} has no {place}"));
            }
            wrapped(&tree, &program, name)
        };
        (name, named(name).map_or_else(made, Ok))
    });
    programs.into()
}

/// A script that runs an unpacked program in its own process with its own libraries.
pub(super) fn wrapped(tree: &Path, program: &Path, name: &str) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;

    let libraries = libraries(tree)?;
    let is_loader = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-linux-"))
    };
    let loader = files(&libraries).into_iter().find(is_loader);
    let loader = loader.ok_or_else(|| format!("{} has no loader", libraries.display()))?;
    // The system's configuration of OpenSSL may be for another OpenSSL. Programs that start
    // themselves anew start the script.
    let text = format!(
        "#!/bin/sh\n\
         OPENSSL_CONF=/dev/null exec '{}' --library-path '{}' --argv0 \"$0\" '{}' \"$@\"\n",
        loader.display(),
        libraries.display(),
        program.display()
    );
    let script = tree.join("wrapped").join(name);
    let write = || {
        fs::create_dir_all(tree.join("wrapped"))?;
        fs::write(&script, text)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
    };
    write().map_err(|error| format!("{}: {error}", script.display()))?;
    Ok(script)
}

/// The folder of a tree's libraries, which is named after the machine.
fn libraries(tree: &Path) -> Result<PathBuf, String> {
    let found = files(&tree.join("usr/lib")).into_iter().find(|path| path.ends_with(triplet()));
    found.ok_or_else(|| format!("{} has no libraries of {}", tree.display(), triplet()))
}

/// As Debian calls this kind of machine.
fn triplet() -> String {
    format!("{}-linux-gnu", env::consts::ARCH)
}

/// What lies in a folder; nothing where there is none.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// apt with its own lists, of [`SUITE`] alone.
pub(super) struct Suite<'a> {
    root: &'a Path,
    folder: PathBuf,
    vars: [(String, String); 1],
}

impl<'a> Suite<'a> {
    pub(super) fn new(root: &'a Path) -> Result<Self, String> {
        if run::find("apt-get").is_none() {
            return Err("not installed, and there is no apt-get".to_owned());
        }
        let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
        let cache = cache.ok_or("not installed: neither XDG_CACHE_HOME nor HOME is set")?;
        let folder = cache.join("regatta/peers").join(SUITE);
        let settings = folder.join("apt.conf").to_string_lossy().into_owned();
        Ok(Self { root, folder, vars: [("APT_CONFIG".to_owned(), settings)] })
    }

    /// Unpacks packages and all they depend on, libc included; says where.
    pub(super) fn unpack(&self, name: &str, packages: &[&str]) -> Result<PathBuf, String> {
        let (tree, whole) = (self.folder.join(name), self.folder.join(format!("{name}.whole")));
        // Another list of packages is another tree.
        let wanted = packages.join(" ");
        if fs::read_to_string(&whole).is_ok_and(|had| had == wanted) {
            return Ok(tree);
        }
        println!("unpacking {wanted} of Debian {SUITE} into {}", tree.display());
        let failed = |error: std::io::Error| format!("{}: {error}", tree.display());
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(failed)?;
        }
        self.configure()?;
        self.apt(&["update"])?;
        let words = ["-y", "--no-install-recommends", "--download-only", "install"];
        self.apt(&[&words[..], packages].concat())?;
        for folder in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(tree.join("usr").join(folder)).map_err(failed)?;
            std::os::unix::fs::symlink(Path::new("usr").join(folder), tree.join(folder))
                .map_err(failed)?;
        }
        let into = tree.to_string_lossy().into_owned();
        for package in files(&self.folder.join("archives")) {
            if package.extension().is_some_and(|extension| extension == "deb") {
                run::read(self.root, &["dpkg", "-x", &package.to_string_lossy(), &into])?;
                fs::remove_file(package).map_err(failed)?;
            }
        }
        fs::write(whole, wanted).map_err(failed)?;
        Ok(tree)
    }

    /// apt-get with the suite's settings.
    fn apt(&self, words: &[&str]) -> Outcome {
        let words = [&["timeout", "400", "apt-get", "-qq"], words].concat();
        run::read_with(self.root, &words, &self.vars).map(drop)
    }

    /// The archive of a package's source, downloaded into this folder.
    pub(super) fn source(&self, package: &str, folder: &Path) -> Result<PathBuf, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        // In the folder that apt-get is started in; it may fail at Debian's own part.
        let script = "cd \"$1\" && timeout 200 apt-get -qq source --download-only \"$2\"";
        let words = ["sh", "-c", script, "sh", &folder.to_string_lossy(), package];
        let said = run::read_with(self.root, &words, &self.vars);
        let is_archive = |file: &PathBuf| {
            let name = file.to_string_lossy();
            name.contains(".orig.tar.") && !name.ends_with(".asc")
        };
        let archive = files(folder).into_iter().find(is_archive);
        archive.ok_or_else(|| format!("no source of {package}: {}", said.err().unwrap_or_default()))
    }

    /// Writes what apt is told: the mirror that the system uses, with this suite.
    fn configure(&self) -> Outcome {
        let mirror = self.mirror()?;
        let at = self.folder.to_string_lossy();
        let signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
        let lines =
            ["deb", "deb-src"].map(|kind| format!("{kind} {signed} {mirror} {SUITE} main\n"));
        let settings = format!(
            "Dir::State \"{at}\"; Dir::State::lists \"{at}/lists\"; \
             Dir::State::status \"{at}/status\"; Dir::Cache \"{at}\"; \
             Dir::Cache::archives \"{at}/archives\"; Dir::Etc::sourcelist \"{at}/sources.list\"; \
             Dir::Etc::sourceparts \"/dev/null\"; APT::Sandbox::User \"root\";\n"
        );
        let write = || {
            for folder in ["lists/partial", "archives/partial"] {
                fs::create_dir_all(self.folder.join(folder))?;
            }
            fs::write(self.folder.join("status"), "")?;
            fs::write(self.folder.join("sources.list"), lines.concat())?;
            fs::write(self.folder.join("apt.conf"), settings)
        };
        write().map_err(|error| format!("{at}: {error}"))
    }

    /// Where the system's own packages come from.
    fn mirror(&self) -> Result<String, String> {
        let words = ["apt-get", "indextargets", "--format", "$(REPO_URI)"];
        let said = run::read(self.root, &words)?;
        let first = said.lines().find(|line| !line.is_empty() && !line.contains("security"));
        first.map(str::to_owned).ok_or_else(|| "apt has no sources here".to_owned())
    }
}
