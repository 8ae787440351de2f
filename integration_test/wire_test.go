package integration_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Field is a header or trailer field as it was received: same spelling, same order.
type Field struct{ Name, Value string }

// Request is one request as the upstream read it. It is parsed by hand, because
// net/http would drop, merge or refuse what a test wants to see.
type Request struct {
	Conn           int    // the number of the connection, from 0
	Line           string // "GET /orders HTTP/1.1"
	Method, Target string
	Header         []Field
	Body           []byte // without the framing of chunks
	Trailer        []Field
}

// Values returns the values of a header, whatever its case.
func (r Request) Values(name string) []string {
	var values []string
	for _, field := range r.Header {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// Get returns the only value of a header, "" if there is none, and all of them
// joined by " | " if there are several, which no test will take for one.
func (r Request) Get(name string) string {
	return strings.Join(r.Values(name), " | ")
}

// readRequest reads one request. io.EOF means that the connection ended
// before its first byte.
func readRequest(from *bufio.Reader, interim io.Writer) (Request, error) {
	line, err := readLine(from)
	if err != nil {
		return Request{}, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "HTTP/1.") {
		return Request{}, fmt.Errorf("no request line: %q", line)
	}
	r := Request{Line: line, Method: parts[0], Target: parts[1]}
	if r.Header, err = readFields(from); err != nil {
		return r, noEOF(err)
	}
	if strings.EqualFold(r.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(interim, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return r, err
		}
	}
	if len(r.Values("Transfer-Encoding")) > 0 {
		r.Body, r.Trailer, err = readChunks(from)
		return r, noEOF(err)
	}
	if length := r.Get("Content-Length"); length != "" {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 {
			return r, fmt.Errorf("no length: %q", length)
		}
		r.Body = make([]byte, n)
		if _, err := io.ReadFull(from, r.Body); err != nil {
			return r, noEOF(err)
		}
	}
	return r, nil
}

func readLine(from *bufio.Reader) (string, error) {
	line, err := from.ReadString('\n')
	if err != nil {
		if line != "" {
			err = noEOF(err)
		}
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

// readFields reads up to the empty line. A folded line stays visible in the
// value, as a line break and what follows it.
func readFields(from *bufio.Reader) ([]Field, error) {
	var fields []Field
	for {
		line, err := readLine(from)
		if err != nil || line == "" {
			return fields, err
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1].Value += "\n" + line
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return fields, fmt.Errorf("no field: %q", line)
		}
		fields = append(fields, Field{name, strings.TrimSpace(value)})
	}
}

func readChunks(from *bufio.Reader) ([]byte, []Field, error) {
	var body bytes.Buffer
	for {
		line, err := readLine(from)
		if err != nil {
			return body.Bytes(), nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(size), 16, 32)
		if err != nil || n < 0 {
			return body.Bytes(), nil, fmt.Errorf("no chunk size: %q", line)
		}
		if n == 0 {
			trailer, err := readFields(from)
			return body.Bytes(), trailer, err
		}
		if _, err := io.CopyN(&body, from, n); err != nil {
			return body.Bytes(), nil, err
		}
		if end, err := readLine(from); err != nil || end != "" {
			return body.Bytes(), nil, errors.Join(errors.New("no line end after a chunk"), err)
		}
	}
}

// noEOF marks an end in the middle of a request.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Reply says how the upstream answers. The zero value is 200 with a short text.
type Reply struct {
	Status  int      // 200 if zero
	Header  []string // "Name: value"
	Body    string
	Upgrade string // a protocol: 101, and from then on every byte is sent back
	Raw     string // is sent as it is, in place of all of the above
	Hang    bool   // no answer until the other side gives up or the test ends
	Close   bool   // no answer, the connection is closed
}

// ordinary is an answer with a body of known length.
func ordinary(request Request, reply Reply) string {
	if reply.Status == 0 {
		reply.Status = http.StatusOK
		if reply.Body == "" {
			reply.Body = "upstream"
		}
	}
	if reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified {
		return head(reply.Status, reply.Header)
	}
	answer := head(reply.Status, append(reply.Header, fmt.Sprintf("Content-Length: %d", len(reply.Body))))
	if request.Method != http.MethodHead {
		answer += reply.Body
	}
	return answer
}

// head is a status line with fields and the empty line after them.
func head(status int, fields []string) string {
	lines := append([]string{fmt.Sprintf("HTTP/1.1 %d %s", status, http.StatusText(status))}, fields...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}
