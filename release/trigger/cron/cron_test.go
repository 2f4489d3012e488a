package cron

import (
	"strings"
	"testing"
	"time"
)

// TestNext: each line is a schedule, its zone, a time, and those that follow it.
func TestNext(t *testing.T) {
	const table = `
*/15 9-10 * * 1-5          UTC              2026-01-02T10:44Z  2026-01-02T10:45Z 2026-01-05T09:00Z 2026-01-05T09:15Z
0 0 1 1 *                  UTC              2026-05-01T00:00Z  2027-01-01T00:00Z
0 12 29 2 *                UTC              2026-05-01T00:00Z  2028-02-29T12:00Z 2032-02-29T12:00Z
0 0 13 * 5                 UTC              2026-02-01T00:00Z  2026-02-06T00:00Z 2026-02-13T00:00Z 2026-02-20T00:00Z
0 0 * * 7                  UTC              2026-02-02T00:00Z  2026-02-08T00:00Z
0 0 * * sun                UTC              2026-02-02T00:00Z  2026-02-08T00:00Z
5/20 3 * * *               UTC              2026-02-02T03:05Z  2026-02-02T03:25Z 2026-02-02T03:45Z
0 0 12 ? * 1               UTC              2026-02-02T00:00Z  2026-02-08T12:00Z
30 0 12 * * ?              UTC              2026-02-02T12:00Z  2026-02-02T12:00:30Z
0 0 10 L * ?               UTC              2026-02-02T00:00Z  2026-02-28T10:00Z 2026-03-31T10:00Z
0 0 10 L-2 * ?             UTC              2026-02-02T00:00Z  2026-02-26T10:00Z
0 0 10 LW * ?              UTC              2026-05-02T00:00Z  2026-05-29T10:00Z
0 0 10 15W * ?             UTC              2026-02-02T00:00Z  2026-02-16T10:00Z 2026-03-16T10:00Z 2026-04-15T10:00Z
0 0 10 1W * ?              UTC              2026-07-30T00:00Z  2026-08-03T10:00Z
0 0 10 31W * ?             UTC              2026-05-01T00:00Z  2026-05-29T10:00Z 2026-07-31T10:00Z
0 0 10 ? * 6#3             UTC              2026-02-01T00:00Z  2026-02-20T10:00Z 2026-03-20T10:00Z
0 0 10 ? * FRIL            UTC              2026-02-01T00:00Z  2026-02-27T10:00Z
0 0 10 ? * MON#5           UTC              2026-02-01T00:00Z  2026-03-30T10:00Z
0 0 10 ? * L               UTC              2026-02-01T00:00Z  2026-02-07T10:00Z
0 0 10 1 1 ? 2027/2        UTC              2026-02-01T00:00Z  2027-01-01T10:00Z 2029-01-01T10:00Z
0 0 10 1 1 ? 2027          UTC              2027-02-01T00:00Z  never
0 0 31 2 *                 UTC              2027-02-01T00:00Z  never
30 2 * * *                 Europe/Berlin    2026-03-28T01:30Z  2026-03-29T01:00Z 2026-03-30T00:30Z
*/30 2 * * *               Europe/Berlin    2026-03-28T02:00Z  2026-03-29T01:00Z 2026-03-30T00:00Z
30 2 * * *                 Europe/Berlin    2026-10-24T00:30Z  2026-10-25T00:30Z 2026-10-26T01:30Z
0 3 * * *                  Europe/Berlin    2026-10-25T00:30Z  2026-10-25T02:00Z
30 1 * * *                 America/New_York 2026-10-31T05:30Z  2026-11-01T05:30Z 2026-11-02T06:30Z
30 2 * * *                 America/New_York 2026-03-07T07:30Z  2026-03-08T07:00Z 2026-03-09T06:30Z
45 1 * * *                 Australia/Lord_Howe 2026-04-03T15:00Z 2026-04-04T14:45Z 2026-04-05T15:15Z
15 2 * * *                 Australia/Lord_Howe 2026-10-02T16:00Z 2026-10-03T15:30Z 2026-10-04T15:15Z
0 9 * * *                  Asia/Kolkata     2026-01-01T00:00Z  2026-01-01T03:30Z
0 9 30 * *                 Pacific/Apia     2011-12-29T00:00Z  2011-12-30T10:00Z
`
	for line := range strings.Lines(strings.TrimSpace(table)) {
		text, rest, zone := cut(line)
		t.Run(text+" "+zone, func(t *testing.T) {
			s, err := Parse(text, zone)
			if err != nil {
				t.Fatal(err)
			}
			at := parse(t, rest[0])
			for _, want := range rest[1:] {
				at = s.Next(at)
				if want == "never" && at.IsZero() {
					return
				}
				if want == "never" || !at.Equal(parse(t, want)) {
					t.Fatalf("it comes at %s, want %s", at.UTC().Format(time.RFC3339), want)
				}
			}
		})
	}
}

// cut splits a line of the table at its zone.
func cut(line string) (schedule string, times []string, zone string) {
	words := strings.Fields(line)
	for i, w := range words {
		if w == "UTC" || i > 4 && strings.Contains(w, "/") && w[0] >= 'A' && w[0] <= 'Z' {
			return strings.Join(words[:i], " "), words[i+1:], w
		}
	}
	panic(line)
}

func parse(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02T15:04Z", "2006-01-02T15:04:05Z"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	t.Fatal(text)
	return time.Time{}
}

func TestLast(t *testing.T) {
	for _, c := range []struct {
		schedule, after, until, want string
		count                        int
	}{
		{"0 * * * *", "2026-01-01T00:00Z", "2026-01-01T00:59Z", "", 0},
		{"0 * * * *", "2026-01-01T00:00Z", "2026-01-01T01:00Z", "2026-01-01T01:00Z", 1},
		{"0 * * * *", "2026-01-01T00:00Z", "2026-01-01T05:10Z", "2026-01-01T05:00Z", 5},
		{"* * * * *", "2025-01-01T00:00Z", "2026-01-01T05:10Z", "2026-01-01T05:10Z", 100},
		{"*/5 0 1 1 *", "2015-01-01T00:00Z", "2026-06-01T05:10Z", "2026-01-01T00:55Z", 100},
		{"*/5 0 1 1 *", "2015-01-01T00:00Z", "2024-01-01T00:00Z", "2024-01-01T00:00Z", 100},
	} {
		s, err := Parse(c.schedule, "")
		if err != nil {
			t.Fatal(err)
		}
		last, count := s.Last(parse(t, c.after), parse(t, c.until))
		if c.want == "" && !last.IsZero() || c.want != "" && !last.Equal(parse(t, c.want)) || count != c.count {
			t.Errorf("%s from %s to %s: %s, %d; want %s, %d", c.schedule, c.after, c.until, last.UTC(), count, c.want, c.count)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ schedule, zone, want string }{
		{"* * * *", "", "4 fields"},
		{"60 * * * *", "", `minute "60": want 0 to 59`},
		{"* 24 * * *", "", `hour "24"`},
		{"* * 0 * *", "", `day of month "0"`},
		{"* * * 13 *", "", `month "13"`},
		{"* * * * 8", "", `day of week "8"`},
		{"*/0 * * * *", "", `minute "*/0"`},
		{"5-1 * * * *", "", `minute "5-1"`},
		{"x * * * *", "", `minute "X"`},
		{"* * ? * *", "", "? is Quartz's"},
		{"* * * * * ?", "", "at most once a minute"},
		{"0 0 0 1 * 2", "", "one has to be ?"},
		{"0 0 0 ? * 0", "", `day of week "0": want 1 to 7`},
		{"0 0 0 ? * 2#6", "", "1 to 5 after #"},
		{"0 0 0 Lx * ?", "", "want L, LW"},
		{"0 0 0 1 1 ? 1969", "", `year "1969"`},
		{"* * * * *", "Mars/Olympus", `time zone "Mars/Olympus"`},
		{"* * * * *", "Local", `time zone "Local"`},
	} {
		_, err := Parse(c.schedule, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %q: %v, want %q", c.schedule, c.zone, err, c.want)
		}
	}
}
