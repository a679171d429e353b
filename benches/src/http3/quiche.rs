//! quiche at both ends: a program of its own (`tests/quiche`), since its BoringSSL takes minutes to
//! build. It is measured where `REGATTA_ASKS_QUICHE` says where it is.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::time::Duration;

use super::{Load, Spent};
use crate::tls::Identity;

/// The program, and a folder with the certificate and its key.
pub(super) struct Quiche {
    program: PathBuf,
    folder: PathBuf,
}

impl Quiche {
    pub(super) fn find(identity: &Identity) -> Option<Self> {
        let program = env::var_os("REGATTA_ASKS_QUICHE")?.into();
        let folder = env::temp_dir().join(format!("regatta-benches-quiche-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let [certificate, key] = &identity.pem;
        fs::write(folder.join("certificate.pem"), certificate).expect("a file");
        fs::write(folder.join("key.pem"), key).expect("a file");
        Some(Self { program, folder })
    }

    /// What one run costs both ends.
    pub(super) fn measure(&self, load: Load) -> Spent {
        let word = match load {
            Load::Requests(at_once) => at_once.to_string(),
            Load::Bulk => "bulk".to_owned(),
        };
        let mut command = Command::new(&self.program);
        command.args(["bench", &word, "certificate.pem", "key.pem"]).current_dir(&self.folder);
        let output = command.output().expect("quiche");
        let said = String::from_utf8(output.stdout).expect("a line");
        let mut figures = said.split(' ').filter_map(|word| word.parse::<f64>().ok());
        let mut next = || {
            let each = figures.next().unwrap_or_else(|| panic!("quiche said {said:?}"));
            Duration::from_secs_f64(each * load.units() / 1e6)
        };
        Spent { client: next(), server: next() }
    }
}

impl Drop for Quiche {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
