//! The client on tokio.

use super::program::run;

#[test]
fn the_tour_shows_an_answer_a_stream_a_time_limit_and_a_failure() {
    let out = run("tokio_client", &[]).well();
    let all = [
        "/hello: 200 OK, HTTP/1.1\n  on a connection that is new\n  16 bytes\n",
        "/echo: 200 OK\n  1000 lines were sent one by one, 8893 bytes came back\n",
        "the request's time limit passed while waiting for the complete response\n",
        "failed, as it should: cannot connect to http://localhost:",
        "4 requests were made\n",
        "2 requests were completed\n",
        "1 requests ran out of time\n",
        "1 connections could not be established\n",
    ];
    for words in all {
        assert!(out.contains(words), "no {words:?}:\n{out}");
    }
}
