package postgres

import (
	"net/url"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"": "",
		"postgres://ada:secret@localhost:5432/db?sslmode=disable":     "postgres://ada@localhost:5432/db?sslmode=disable",
		"postgresql://ada:secret@localhost/db":                        "postgresql://ada@localhost/db",
		"postgres://ada@localhost/db":                                 "postgres://ada@localhost/db",
		"postgres://:secret@localhost/db":                             "postgres://@localhost/db",
		"postgres://localhost:5432":                                   "postgres://localhost:5432",
		"postgres://ada:secret@[::1]:5432/db":                         "postgres://ada@[::1]:5432/db",
		"postgres://[::1]:5432/db":                                    "postgres://[::1]:5432/db",
		"postgres://ada:secret@a:5432,b:5433/db":                      "postgres://ada@a:5432,b:5433/db",
		"postgres://a:5432,b/db":                                      "postgres://a:5432,b/db",
		"postgres:///db?host=/var/run/postgresql":                     "postgres:///db?host=/var/run/postgresql",
		"postgres://ada@localhost/db?password=secret&sslmode=disable": "postgres://ada@localhost/db",
		"postgres://ada@localhost/db?p%61ssword=secret":               "postgres://ada@localhost/db",
		"postgres://ada@localhost/db?sslpassword=secret":              "postgres://ada@localhost/db",
		"postgres://ada@localhost/db?password=a&secret":               "postgres://ada@localhost/db",
		"postgres://ada@localhost/db?x=1#secret":                      "postgres://ada@localhost/db?x=1",
		"postgres://ada@localhost/db?%zz=secret":                      "postgres://ada@localhost/db",
		"postgres://ada:sec@ret@localhost/db":                         "postgres://ada@localhost/db",
		"postgres://ada:sec%ret@localhost/db":                         "postgres://ada@localhost/db",
		"postgres://ada:sec/ret@localhost/db":                         unreadable,
		"postgres://ada:sec?ret@localhost/db":                         unreadable,
		"postgres://ada:sec#ret@localhost/db":                         unreadable,
		"postgres://ada:5/ret@localhost/db":                           unreadable,
		"postgres://ada:secret":                                       unreadable,
		"POSTGRES://ada:secret@localhost/db":                          "POSTGRES://ada@localhost/db",
		" postgres://ada:secret@localhost/db\n":                       "postgres://ada@localhost/db",

		"host=localhost user=ada password=secret dbname=db": "host=localhost user=ada dbname=db",
		"host=localhost password='se cr''et' user=ada":      unreadable, // a quote is written \', not ''
		"password = 'it\\'s secret' user = 'a b'":           "user='a b'",
		"password=se\\ cret user=ada":                       "user=ada",
		"PASSWORD=secret user=ada":                          "user=ada",
		"passwd=secret user=ada":                            "user=ada",
		"user=ada password=":                                "user=ada",
		"user=ada sslpassword=secret sslmode=require":       "user=ada sslmode=require",
		"user=ada password=postgres://secret":               "user=ada",
		"dbname=postgres://ada:secret@localhost/db":         unreadable,
		"host= password=secret":                             unreadable,
		"host=localhost password=sec ret":                   unreadable,
		"host=localhost password='secret":                   unreadable,
		"secret":                                            unreadable,
		"=secret":                                           unreadable,
	} {
		if got := Redact(dsn); got != want {
			t.Errorf("%s: got %q, want %q", dsn, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"", "x", "@", "/", "?a=b", "#", "&c=d", " e=f", "'", `\`, "%", "%2", "://", ":@/", "\x00", "é"} {
		f.Add(seed, seed)
	}
	const begin, end = "S3CR3T", "T3RC3S"
	f.Fuzz(func(t *testing.T, middle, around string) {
		if s := strings.ToUpper(middle + around); strings.Contains(s, begin) || strings.Contains(s, end) {
			t.Skip()
		}
		password := begin + middle + end
		quoted := "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password) + "'"
		plain := url.QueryEscape(around)
		for _, dsn := range []string{
			(&url.URL{Scheme: "postgres", User: url.UserPassword(around, password), Host: "h", Path: around}).String(),
			"postgres://u:" + password + "@h/db",
			"postgres://u:" + password + "@h/" + around,
			"postgres://u:" + password + "@" + around,
			"postgres://" + plain + ":" + password + "@h",
			"postgres://u@h/db?password=" + url.QueryEscape(password) + "&x=" + plain,
			"postgres://u@h/db?x=" + plain + "&password=" + password,
			"postgres://h/db?" + plain + "=" + plain + "&sslpassword=" + password,
			"user=u password=" + quoted + " dbname=" + plain,
			"dbname=" + plain + " password=" + quoted,
		} {
			if got := Redact(dsn); strings.Contains(got, begin) || strings.Contains(got, end) {
				t.Errorf("%q: %q", dsn, got)
			}
		}
		// After a space in a raw password, its rest can look like another parameter, even to
		// Postgres.
		for _, dsn := range []string{"user=u password=" + password, "password=" + password + " " + around} {
			if got := Redact(dsn); strings.Contains(got, begin) {
				t.Errorf("%q: %q", dsn, got)
			}
		}
		Redact(around)
	})
}
