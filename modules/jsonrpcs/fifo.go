package jsonrpcs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"kahea/cfglang/log"
)

const (
	maxFifoRequest = 8192 // bytes
	replyRetries   = 4
	replyWait      = 80 * time.Millisecond
)

// openFifo makes the fifo anew; anything else in its place is an error.
func openFifo(p *place) (*os.File, error) {
	if fi, err := os.Lstat(p.name); err == nil {
		if fi.Mode()&os.ModeNamedPipe == 0 {
			return nil, errors.New("a file that is no fifo stands in its place")
		}
		if err := os.Remove(p.name); err != nil {
			return nil, err
		}
	}
	if err := syscall.Mkfifo(p.name, uint32(p.mode)); err != nil {
		return nil, &os.PathError{Op: "mkfifo", Path: p.name, Err: err}
	}
	if err := p.own(); err != nil {
		return nil, err
	}
	// open for writing too, so that it does not end when the last client goes
	return os.OpenFile(p.name, os.O_RDWR|syscall.O_NONBLOCK, 0)
}

// own sets permissions and owner, whatever the umask.
func (p *place) own() error {
	if err := os.Chmod(p.name, os.FileMode(p.mode)); err != nil {
		return err
	}
	if p.user < 0 && p.group < 0 {
		return nil
	}
	return os.Chown(p.name, p.user, p.group)
}

// framer cuts requests out of a stream by counting braces outside of strings; what stands between them is dropped.
type framer struct {
	buf              []byte
	depth            int
	inString, escape bool
}

// add takes a byte; a request that it completes is valid until the next call.
func (f *framer) add(c byte) (request []byte, err error) {
	if f.depth == 0 {
		if c != '{' {
			return nil, nil
		}
		f.buf = f.buf[:0]
	}
	if len(f.buf) == maxFifoRequest {
		f.depth, f.inString, f.escape = 0, false, false
		return nil, fmt.Errorf("request is longer than %d bytes", maxFifoRequest)
	}
	f.buf = append(f.buf, c)
	switch {
	case f.escape:
		f.escape = false
	case f.inString:
		f.escape = c == '\\'
		f.inString = c != '"'
	case c == '"':
		f.inString = true
	case c == '{':
		f.depth++
	case c == '}':
		if f.depth--; f.depth == 0 {
			return f.buf, nil
		}
	}
	return nil, nil
}

func (m *mod) serveFifo(fd int) error {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("fifo %s: %w", m.fifo.name, err)
	}
	f := os.NewFile(uintptr(fd), m.fifo.name)
	stopped := make(chan struct{})
	m.stop = append(m.stop, func() {
		close(stopped)
		f.Close() //nolint:errcheck // the process ends
	})
	m.reader(f)
	go func() {
		defer m.readers.Add(-1)
		var fr framer
		last := false
		b := make([]byte, 4096)
		for {
			n, err := f.Read(b)
			if errors.Is(err, os.ErrDeadlineExceeded) && fr.depth > 0 && !last { // to leave, but not in the middle of a request
				last = true
				if err := f.SetReadDeadline(time.Now().Add(drainWait)); err == nil {
					continue
				}
			}
			if err != nil {
				if !errors.Is(err, os.ErrClosed) && !errors.Is(err, os.ErrDeadlineExceeded) {
					m.h.Logf(log.Err, "jsonrpcs", "read fifo: %v", err)
				}
				return
			}
			for _, c := range b[:n] {
				req, err := fr.add(c)
				if err != nil {
					m.h.Logf(log.Err, "jsonrpcs", "fifo: %v", err)
				}
				if req != nil {
					m.fifoRequest(req, stopped)
				}
			}
		}
	}()
	return nil
}

func (m *mod) fifoRequest(b []byte, stopped <-chan struct{}) {
	r, response := m.run(b, stopped)
	if r == nil || response == nil {
		return
	}
	switch {
	case r.ReplyName == "":
		m.h.Logf(log.Err, "jsonrpcs", "missing reply_name field in request")
	case strings.ContainsAny(r.ReplyName, `./\`):
		m.h.Logf(log.Err, "jsonrpcs", "Forbidden reply fifo filename: %s", r.ReplyName)
	default:
		if err := sendFifo(m.replyDir+r.ReplyName, response, time.Duration(m.timeout)*time.Millisecond); err != nil {
			m.h.Logf(log.Err, "jsonrpcs", "reply: %v", err)
		}
	}
}

// sendFifo writes to a client's fifo; the client may be slow to open it.
func sendFifo(path string, b []byte, timeout time.Duration) error {
	for try := 0; ; try++ {
		f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
		if errors.Is(err, syscall.ENXIO) && try < replyRetries {
			time.Sleep(replyWait)
			continue
		}
		if err != nil {
			return err
		}
		return errors.Join(writeFifo(f, b, timeout), f.Close())
	}
}

func writeFifo(f *os.File, b []byte, timeout time.Duration) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeNamedPipe == 0 {
		return fmt.Errorf("%s is no fifo", f.Name())
	}
	if err := f.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err = f.Write(b)
	return err
}
