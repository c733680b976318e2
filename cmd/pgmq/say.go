package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// count writes how many there are, in the plural unless it is one.
func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return number(n) + " " + what
}

// number writes a number with its thousands apart.
func number(n int64) string { return message.NewPrinter(language.English).Sprintf("%d", n) }

// timeText writes a time for people.
func timeText(t time.Time) string { return t.Local().Format(time.DateTime) }

// jsonFlag gives a command the flag --json.
func jsonFlag(cmd *cobra.Command, set *bool, what string) {
	cmd.Flags().BoolVar(set, "json", false, what)
}

// say tells what a command did, in one sentence: on standard output, unless that
// is for data.
func say(cmd *cobra.Command, outIsData bool, format string, args ...any) error {
	out := cmd.OutOrStdout()
	if outIsData {
		out = cmd.ErrOrStderr()
	}
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

// confirm asks somebody at a terminal whether to go on, unless --yes was given.
func confirm(cmd *cobra.Command, yes bool, what string, args ...any) error {
	if yes {
		return nil
	}
	what = fmt.Sprintf(what, args...)
	if piped() {
		return fmt.Errorf("this would %s: --yes does it without asking", what)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This will %s. Go on? [y/N] ", what)
	answer, err := answer(cmd.Context())
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("not confirmed, so nothing was done")
	}
	return nil
}

// answer is a line from the terminal, which cannot be interrupted, but left.
func answer(ctx context.Context) (string, error) {
	answers := make(chan string, 1)
	go func() {
		text, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil {
			text = "" // ctrl-D is no
		}
		answers <- text
	}()
	select {
	case text := <-answers:
		return text, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
