// Asks what standard input says, a line each, by net/http; prints a line of what came for each.
//
// usage: asks BASE-URL CA 1|2    (2: HTTP/2, by ALPN or prior knowledge)
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func letters(n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + i%26)
	}
	return text
}

// A body whose length nobody knows.
type unknown struct{ io.Reader }

func describe(response *http.Response, body []byte, reused bool) string {
	connection := "new"
	if reused {
		connection = "old"
	}
	what := "letters"
	if !bytes.Equal(body, letters(len(body))) {
		what, _, _ = strings.Cut(string(body), "\n")
	}
	said := fmt.Sprintf("%d %s %s %d %s", response.StatusCode, response.Proto, connection,
		len(body), what)
	for name, values := range response.Trailer {
		said += " " + strings.ToLower(name) + ": " + strings.Join(values, ",")
	}
	return strings.TrimSpace(said)
}

type asker struct {
	client *http.Client
	base   string
}

func (a *asker) request(words []string, reused *bool) (*http.Request, error) {
	var content io.Reader
	fields := http.Header{}
	for _, word := range words[2:] {
		name, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "send":
			content = bytes.NewReader(letters(n))
		case "stream":
			content = unknown{bytes.NewReader(letters(n))}
		default:
			fields.Set(name, value)
		}
	}
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { *reused = info.Reused },
	}
	about := httptrace.WithClientTrace(context.Background(), trace)
	request, err := http.NewRequestWithContext(about, words[0], a.base+words[1], content)
	if err == nil {
		for name, values := range fields {
			request.Header[name] = values
		}
	}
	return request, err
}

func (a *asker) once(words []string) string {
	reused := false
	request, err := a.request(words, &reused)
	if err != nil {
		return "error"
	}
	response, err := a.client.Do(request)
	if err != nil {
		return "error"
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "error"
	}
	return describe(response, body, reused)
}

func (a *asker) parallel(times int, words []string) string {
	var wait sync.WaitGroup
	said := make([]string, times)
	for i := range said {
		wait.Add(1)
		go func() {
			defer wait.Done()
			said[i] = a.once(words)
		}()
	}
	wait.Wait()
	whole := 0
	for _, one := range said {
		if strings.HasPrefix(one, "200 ") {
			whole++
		}
	}
	return fmt.Sprintf("%d of %d", whole, times)
}

func (a *asker) pause(words []string, input *bufio.Reader) string {
	reused := false
	request, err := a.request(words, &reused)
	if err != nil {
		return "error"
	}
	response, err := a.client.Do(request)
	if err != nil {
		return "error"
	}
	defer response.Body.Close()
	first := make([]byte, 1000)
	if _, err = io.ReadFull(response.Body, first); err != nil {
		return "error"
	}
	fmt.Println("under way")
	input.ReadString('\n')
	rest, err := io.ReadAll(response.Body)
	if err != nil {
		return "error"
	}
	return describe(response, append(first, rest...), reused)
}

func main() {
	base, ca, two := os.Args[1], os.Args[2], os.Args[3] == "2"
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(ca); err == nil {
		roots.AppendCertsFromPEM(pem)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!two)
	protocols.SetHTTP2(two)
	protocols.SetUnencryptedHTTP2(two)
	transport := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots},
		Protocols:             protocols,
		ExpectContinueTimeout: time.Hour,
		MaxIdleConnsPerHost:   100,
	}
	a := &asker{client: &http.Client{Transport: transport, Timeout: time.Minute}, base: base}
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch words[0] {
		case "PARALLEL":
			times, _ := strconv.Atoi(words[1])
			fmt.Println(a.parallel(times, words[2:]))
		case "PAUSE":
			fmt.Println(a.pause(words[1:], input))
		default:
			fmt.Println(a.once(words))
		}
	}
}
