package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// Mail sends by SMTP. Mails about one thing are one thread.
type Mail struct {
	Connect            Dialer
	Server             string // HOST:PORT
	From               string
	To                 []string
	Username, Password string // "": the server asks for none
	Now                func() time.Time
	// TLS of the server; nil: the system's authorities vouch for its name.
	TLS *tls.Config
}

// Edits is false.
func (Mail) Edits() bool { return false }

// Send sends one mail.
func (m Mail) Send(ctx context.Context, message Message, first string) (string, error) {
	id := m.id(message.About + "/" + message.Occasion)
	text, err := m.text(message, id, first)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	if err := m.deliver(ctx, text); err != nil {
		if code := new(textproto.Error); errors.As(err, &code) && code.Code/100 == 5 {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return "", fmt.Errorf("mail by %s: %w", m.Server, err)
	}
	if first != "" {
		id = first
	}
	return id, nil
}

// id of a mail: the same one, sent again, is known as that.
func (m Mail) id(of string) string {
	_, domain, _ := strings.Cut(m.From, "@")
	sum := sha256.Sum256([]byte(of))
	return "<" + hex.EncodeToString(sum[:12]) + "@" + domain + ">"
}

func (m Mail) text(message Message, id, first string) ([]byte, error) {
	from, err := mail.ParseAddress(m.From)
	if err != nil {
		return nil, fmt.Errorf("%w: mail from %q: %v", ErrRefused, m.From, err)
	}
	var out bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&out, "%s: %s\r\n", name, value) }
	header("From", from.String())
	header("To", strings.Join(m.To, ", "))
	header("Date", m.Now().Format(time.RFC1123Z))
	header("Subject", mime.QEncoding.Encode("utf-8", strings.Join(strings.Fields(message.Title), " ")))
	header("Message-ID", id)
	if first != "" && first != id {
		header("In-Reply-To", first)
		header("References", first)
	}
	header("MIME-Version", "1.0")
	header("Content-Type", `text/plain; charset="utf-8"`)
	header("Content-Transfer-Encoding", "quoted-printable")
	out.WriteString("\r\n")
	w := quotedprintable.NewWriter(&out)
	if _, err := w.Write([]byte(message.head() + "\n\n" + message.body() + "\n")); err != nil {
		return nil, err
	}
	return out.Bytes(), w.Close()
}

// deliver speaks SMTP. A password goes only where the connection is encrypted.
func (m Mail) deliver(ctx context.Context, text []byte) error {
	client, err := m.open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Mail(address(m.From)); err != nil {
		return err
	}
	for _, to := range m.To {
		if err := client.Rcpt(address(to)); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the mail is taken
	return nil
}

func (m Mail) open(ctx context.Context) (*smtp.Client, error) {
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, fmt.Errorf("%w: want HOST:PORT", ErrRefused)
	}
	connection, err := m.Connect(ctx, "tcp", m.Server)
	if err != nil {
		return nil, err
	}
	if until, ok := ctx.Deadline(); ok {
		_ = connection.SetDeadline(until)
	}
	settings := &tls.Config{ServerName: host}
	if m.TLS != nil {
		settings = m.TLS
	}
	if port == "465" {
		connection = tls.Client(connection, settings)
	}
	client, err := smtp.NewClient(connection, host)
	if err != nil {
		connection.Close()
		return nil, err
	}
	if err := m.greet(client, settings); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

func (m Mail) greet(client *smtp.Client, settings *tls.Config) error {
	if offered, _ := client.Extension("STARTTLS"); offered {
		if err := client.StartTLS(settings); err != nil {
			return err
		}
	}
	if m.Username == "" {
		return nil
	}
	if _, encrypted := client.TLSConnectionState(); !encrypted {
		return fmt.Errorf("%w: the server offers no encryption, and the password is not sent without", ErrRefused)
	}
	return client.Auth(smtp.PlainAuth("", m.Username, m.Password, settings.ServerName))
}

// address is that of "Name <address>".
func address(written string) string {
	if parsed, err := mail.ParseAddress(written); err == nil {
		return parsed.Address
	}
	return written
}
