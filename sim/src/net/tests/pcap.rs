//! A pcap file, read again by the rules of its format.

use std::collections::BTreeMap;

use super::*;
use crate::net::pcap::Pcap;
use regatta_runtime::{Datagrams as _, Ecn, Transmit};

/// The one's complement sum of everything, which is all ones where the checksum is right.
fn sum(parts: &[&[u8]]) -> u32 {
    let all = parts.concat();
    let mut sum: u32 = all
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn little(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The packets of a file, with their nanoseconds since the run's epoch; lengths and checksums
/// are right.
fn packets(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
    assert_eq!(little(file, 0), 0xa1b2_3c4d);
    assert_eq!(little(file, 20), 101);
    let (mut at, mut all) = (24, Vec::new());
    while at < file.len() {
        let length = little(file, at + 8) as usize;
        let seconds = u64::from(little(file, at)) - 1_767_225_600;
        let nanos = seconds * 1_000_000_000 + u64::from(little(file, at + 4));
        let packet = file[at + 16..at + 16 + length].to_vec();
        check(&packet);
        all.push((nanos, packet));
        at += 16 + length;
    }
    assert!(all.is_sorted_by_key(|(nanos, _)| *nanos));
    all
}

fn check(packet: &[u8]) {
    let (header, protocol, addresses) = match packet[0] >> 4 {
        4 => {
            assert_eq!(u16::from_be_bytes([packet[2], packet[3]]) as usize, packet.len());
            assert_eq!(sum(&[&packet[..20]]), 0xffff, "the header's checksum");
            (20, packet[9], &packet[12..20])
        }
        _ => (40, packet[6], &packet[8..40]),
    };
    let rest = &packet[header..];
    let length = (rest.len() as u32).to_be_bytes();
    let whole = sum(&[addresses, &length, &[0, 0, 0, protocol], rest]);
    assert_eq!(whole, 0xffff, "the checksum of protocol {protocol}");
}

/// What the client sent in a stream, put together by sequence numbers.
fn reassembled(packets: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut pieces: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut first = None;
    for (_, packet) in packets.iter().filter(|(_, packet)| packet[12..16] == [192, 0, 2, 9]) {
        let (seq, flags) = (word(packet, 24), packet[33]);
        let data = 20 + usize::from(packet[32] >> 4) * 4;
        if flags & 2 != 0 {
            first = Some(seq.wrapping_add(1));
        }
        let place = seq.wrapping_sub(first.expect("a SYN comes first"));
        let longest = pieces.entry(place).or_default();
        if longest.len() < packet.len() - data {
            *longest = packet[data..].to_vec();
        }
    }
    let mut all: Vec<u8> = Vec::new();
    for (place, bytes) in pieces.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
        assert!(place as usize <= all.len(), "a gap before {place}");
        all.truncate(place as usize);
        all.extend(bytes);
    }
    all
}

#[test]
fn streams_can_be_put_together_from_a_file() {
    for link in [Link::delay(ms(20)), Link::delay(ms(20)).loss_ppm(30_000)] {
        let pair = Pair::new(link);
        let pcap = Pcap::new();
        pair.net.tap(pcap.tap(Some(pair.client.id())));
        let sent = pattern(200_000);
        let done = pair.net.run(async {
            let (mut near, mut far, _listening) = pair.connected().await;
            let bytes = sent.clone();
            pair.client.spawn(async move {
                write_all(&mut near, &bytes).await.unwrap();
                finish(&mut near).await.unwrap();
                let _ = read(&mut near).await;
            });
            read_to_end(&mut far).await.unwrap().len()
        });
        assert_eq!(done.unwrap(), 200_000);
        let file = pcap.file();
        if let Some(folder) = std::env::var_os("REGATTA_SIM_PCAP") {
            let name = format!("{}.pcap", link.loss_ppm);
            std::fs::write(std::path::Path::new(&folder).join(name), &file).unwrap();
        }
        let packets = packets(&file);
        assert!(packets.iter().all(|(_, packet)| packet.len() <= 1_500));
        assert!(reassembled(&packets) == sent);
        // SYN at once, SYN-ACK a round trip later.
        assert_eq!(packets[0].1[33], 2);
        assert_eq!(packets[1].1[33], 0x12);
    }
}

#[test]
fn a_tap_changes_nothing() {
    let digest = |tapped: bool| {
        let pair = Pair::seeded(5, Link::delay(ms(20)).loss_ppm(20_000));
        if tapped {
            pair.net.tap(Pcap::new().tap(None));
        }
        let done = pair.net.run(async {
            let (mut near, mut far, _listening) = pair.connected().await;
            write_all(&mut near, &pattern(50_000)).await.unwrap();
            drop(near);
            read_to_end(&mut far).await.unwrap().len()
        });
        assert_eq!(done.unwrap(), 50_000);
        pair.net.steps(|steps| steps.digest())
    };
    assert_eq!(digest(true), digest(false));
}

#[test]
fn datagrams_are_in_a_file_with_their_marks() {
    let net = Net::seeded(1);
    let hosts = ["2001:db8::9", "2001:db8::1"].map(|ip| net.host(ip, [address(ip)]));
    let pcap = Pcap::new();
    net.tap(pcap.tap(None));
    let done = net.run(async {
        let [near, far] = &hosts;
        let mut near = near.bind(at("2001:db8::9", 9), None).await.unwrap();
        let _far = far.bind(at("2001:db8::1", 443), None).await.unwrap();
        for (bytes, ecn) in [(b"odd".as_slice(), None), (b"".as_slice(), Some(Ecn::Ce))] {
            let to = at("2001:db8::1", 443);
            near.try_send(&Transmit { ecn, ..Transmit::new(to, bytes) }).unwrap();
        }
    });
    done.unwrap();
    let all = packets(&pcap.file());
    let seen: Vec<_> = all.iter().map(|(_, packet)| (packet[1] >> 4, &packet[48..])).collect();
    assert_eq!(seen, [(0, b"odd".as_slice()), (3, b"")]);
}
