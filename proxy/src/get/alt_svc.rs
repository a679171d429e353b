//! `--alt-svc FILE`: what servers have said of their alternatives, from one run to the next.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use regatta_runtime::{Client, Runtime};

/// Gives the client what the file says. A file that is not there says nothing; one that cannot be
/// read as it is to be read is set aside, and what was wrong with it comes back in a sentence.
pub(crate) fn load<R: Runtime>(client: &Client<R>, path: &Path) -> Result<(), String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let path = path.display();
            return Err(format!("cannot read the alternatives of {path}: {error}"));
        }
    };
    let wrong = match String::from_utf8(bytes) {
        Ok(text) => match client.restore(&text) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        },
        Err(error) => format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()),
    };
    let aside = beside(path, ".bad");
    let then = match fs::rename(path, &aside) {
        Ok(()) => format!("it was set aside as {}", aside.display()),
        Err(error) => format!("it cannot be set aside as {}: {error}", aside.display()),
    };
    Err(format!("the alternatives of {} are not used, {then}: {wrong}", path.display()))
}

/// Writes what the client knows in the place of the file, so that nobody ever reads half of it.
pub(crate) fn store<R: Runtime>(client: &Client<R>, path: &Path) -> Result<(), String> {
    // A link goes on leading to the file that it leads to.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let new = beside(&place, &format!(".{}", std::process::id()));
    let written = write(&new, &client.alternatives()).and_then(|()| fs::rename(&new, &place));
    written.map_err(|error| {
        let _ = fs::remove_file(&new);
        format!("cannot write the alternatives to {}: {error}", path.display())
    })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The path with something behind its name.
fn beside(path: &Path, behind: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(behind);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use regatta_core::altsvc::{Alternative, Offer, Said, Source};
    use regatta_core::types::{Origin, Scheme};

    use super::*;

    fn origin() -> Origin {
        Origin { scheme: Scheme::Https, host: "a.test".into(), port: 443 }
    }

    fn client() -> regatta_tokio::Client {
        regatta_tokio::client().http3().build().unwrap()
    }

    /// How many alternatives the client knows.
    fn known(client: &regatta_tokio::Client) -> usize {
        client.alternatives().lines().skip(1).count()
    }

    /// A folder of this test's own, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let own = format!("regatta-alt-svc-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(own);
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn what_one_run_has_learnt_the_next_one_knows() {
        let folder = Folder::new("next");
        let path = folder.0.join("alternatives");
        let first = client();
        load(&first, &path).unwrap();
        let offers =
            vec![Offer::new(Alternative::http3(443)), Offer::new(Alternative::http3(8443))];
        first.learn(&origin(), Said::Offers(offers), Source::Field);
        store(&first, &path).unwrap();
        let second = client();
        load(&second, &path).unwrap();
        assert_eq!((known(&first), known(&second)), (2, 2));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "nothing else is left there");
    }

    #[tokio::test]
    async fn a_file_of_curls_is_read_and_ours_is_written() {
        let folder = Folder::new("curl");
        let path = folder.0.join("altsvc.txt");
        let text = "# Your alt-svc cache. https://curl.se/docs/alt-svc.html\n\
                    h2 a.test 443 h3 a.test 443 \"20990101 00:00:00\" 0 0\n";
        fs::write(&path, text).unwrap();
        let client = client();
        load(&client, &path).unwrap();
        assert_eq!(known(&client), 1);
        store(&client, &path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("regatta-altsvc 1\n"));
    }

    #[tokio::test]
    async fn a_damaged_file_is_set_aside_and_says_which_line() {
        let folder = Folder::new("damaged");
        let path = folder.0.join("alternatives");
        for (text, why) in [
            (&b"regatta-altsvc 1\nnonsense\n"[..], "line 2: expected "),
            (b"regatta-altsvc 9\n", "version 1 of the format"),
            (b"\xff\xfe", "byte 0 is not UTF-8"),
        ] {
            fs::write(&path, text).unwrap();
            let said = load(&client(), &path).unwrap_err();
            assert!(said.contains(why) && said.contains("alternatives.bad"), "{said}");
            assert!(!path.exists(), "{said}");
            assert_eq!(fs::read(beside(&path, ".bad")).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_said() {
        let folder = Folder::new("none");
        let said = store(&client(), &folder.0.join("none").join("file")).unwrap_err();
        assert!(said.starts_with("cannot write the alternatives to "), "{said}");
    }
}
