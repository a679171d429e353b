//! `-w`.

use crate::curl::lab::{Lab, row};

#[test]
fn write_out() {
    let Some(lab) = Lab::new() else { return };
    lab.check(&[
        row("-w '%{http_code} %{response_code}\\n' {o}/status/404 -o out"),
        row("-w '%{size_download} %{size_upload} %{size_header}\\n' {o}/bytes/5"),
        row("-w '%{size_upload}\\n' -d abcde {o}/echo"),
        row("-w '%{num_redirects} %{num_headers} %{redirect_url}\\n' -L {o}/redirect/2 -A x"),
        row("-w '%{redirect_url}\\n' {o}/redirect/2"),
        row("-w '%{url} %{url_effective} %{urlnum}\\n' -L {o}/redirect/1 -A x {o}"),
        row("-w '%{method} %{scheme} %{http_version}\\n' -d x {o}/echo"),
        row("-w '%{method}\\n' -d x -L '{o}/status/303?location=/echo'"),
        row("-w '%{content_type}\\n' {o}/bytes/1"),
        row("-w '%{content_type}|%{redirect_url}|%{errormsg}|\\n' {o}/status/204"),
        row("-w '%{filename_effective}\\n' -o out {o}/bytes/1"),
        row("-w '%{filename_effective}\\n' -O {o}/bytes/1"),
        row("-w '%{filename_effective}\\n' {o}/bytes/1"),
        row("-w '%{exitcode}\\n' -f {o}/status/404"),
        row("-w '%{exitcode} %{http_code} %{num_connects}\\n' {closed}/"),
        row("-w '%{remote_ip} %{remote_port} %{local_ip}\\n' {o}/bytes/1"),
        row("-w '%{local_port} %{remote_port}\\n' {o}/bytes/1").shape(),
        row("-w '%{num_connects}\\n' {o}/bytes/1 {o}/bytes/1"),
        row("-w '%{time_total} %{time_namelookup} %{time_appconnect}\\n' {o}/bytes/1").shape(),
        row("-w '%{time_connect} %{time_pretransfer} %{time_starttransfer}\\n' {o}/bytes/1")
            .shape(),
        row("-w '%{time_redirect}\\n' {o}/bytes/1"),
        row("-w '%{header_json}' -o out {o}/redirect/1 -H x:y").shape(),
        row("-w '%header{location} %header{Content-Type} %header{none}|\\n' {o}/redirect/1"),
        row("-w '%{stderr}away%{stdout}here\\n' {o}/bytes/1"),
        row("-w '%{onerror}failed %{exitcode}\\n' {o}/bytes/1"),
        row("-w '%{onerror}failed %{exitcode}\\n' {closed}/"),
        row("-w '100%% \\t|\\x|%z|%{nobody}|' {o}/bytes/1"),
        row("-w '%{unfinished' {o}/bytes/1"),
        row("-w @format {o}/bytes/1"),
        row("-w @- {o}/bytes/1").stdin("%{http_code} from stdin"),
        row("-w @missing {o}/bytes/1").but("a file that cannot be read is a failure"),
        row("-w one -w '%{http_code}' {o}/bytes/1"),
        row("-w '%{referer}|\\n' -e http://a.test/ {o}/bytes/1"),
        row("-w '%{http_connect} %{ssl_verify_result} %{proxy_ssl_verify_result}\\n' {o}/bytes/1"),
        row("-w '%{num_headers}\\n' -I {o}/bytes/1"),
        row("-w '%{speed_download} %{speed_upload}\\n' {closed}/"),
        row("-w '%{size_request}\\n' -A x {o}/bytes/1"),
        row("-w '%{json}' {o}/bytes/1").but("its last entry names the program"),
    ]);
}
