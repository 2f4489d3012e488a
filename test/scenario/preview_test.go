package scenario

import (
	"encoding/base64"
	"strings"
)

// preview asks for one, and makes two that nobody signed.
func (s *script) preview(args []string) {
	set, words := settings(args)
	if len(words) != 3 {
		s.ts.Fatalf("preview VAR APP VERSION [host=HOST] [for=1h]")
	}
	command := []string{"preview", "-n", s.namespace, words[1], words[2]}
	for key, value := range set {
		command = append(command, "--"+key, value)
	}
	var token string
	s.until(func() error {
		made, err := output[struct{ Token string }](command...)
		token = made.Token
		return err
	})
	head, rest, _ := strings.Cut(token, ".")
	body, _, _ := strings.Cut(rest, ".")
	s.ts.Setenv(words[0], token)
	s.ts.Setenv(words[0]+"_FORGED", head+"."+body+"."+strings.Repeat("A", 86))
	text, err := base64.RawURLEncoding.DecodeString(head)
	s.ts.Check(err)
	s.ts.Setenv(words[0]+"_UNSIGNED", base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), "ES256", "none", 1)))+"."+body+".")
}
