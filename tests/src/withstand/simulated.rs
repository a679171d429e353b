//! The faults in the simulator, where also what is legal but rare happens.

use core::net::SocketAddr;
use core::time::Duration;

use regatta_models::tape::Tape;
use regatta_runtime::Runtime as _;
use regatta_sim::choice::Choices;
use regatta_sim::{Link, Net};

use super::fault::{Fault, serve};
use super::sockets::{client, meet};
use super::{http1, http2};

/// Nets in which the rare happens, beside one in which it does not.
const RARE: u64 = 1;

fn all(faults: &[Fault]) {
    let mut wrong = Vec::new();
    for fault in faults {
        wrong.extend(play(&Net::seeded(1), fault).err());
        for seed in 0..RARE {
            let said = play(&Net::new(Choices::new(Tape::seeded(seed)), seed), fault);
            wrong.extend(said.err().map(|wrong| format!("seed {seed}: {wrong}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn play(net: &Net, fault: &Fault) -> Result<(), String> {
    let server = net.host("server", ["192.0.2.1".parse().unwrap()]);
    let asking = net.host("client", ["192.0.2.9".parse().unwrap()]);
    net.link(&asking, &server, Link::delay(Duration::from_millis(5)));
    let at: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let played = net.run(async {
        let listener = server.listen(at.into()).await.unwrap();
        server.spawn(serve(server.clone(), listener, fault.clone(), || {}));
        meet(&asking, &client(asking.clone(), fault), at, fault).await
    });
    played.unwrap_or_else(|stuck| Err(format!("{:?}, {}: {stuck}", fault.way, fault.name)))
}

#[test]
fn http1_faults() {
    all(&http1::faults());
}

#[test]
fn http2_faults() {
    all(&http2::faults());
}

#[test]
fn silences() {
    all(&[http1::silences(), http2::silences()].concat());
}
