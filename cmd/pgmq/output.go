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
	"golang.org/x/term"
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

// printResult writes the result of a command, in one sentence: to standard output,
// unless that is for data.
func printResult(cmd *cobra.Command, outIsData bool, format string, args ...any) error {
	out := cmd.OutOrStdout()
	if outIsData {
		out = cmd.ErrOrStderr()
	}
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

// inputIsPiped reports whether standard input is something else than a keyboard.
func inputIsPiped() bool { return !term.IsTerminal(int(os.Stdin.Fd())) }

// confirm asks at a terminal whether to go on, unless --yes was given.
func confirm(cmd *cobra.Command, yes bool, what string, args ...any) error {
	if yes {
		return nil
	}
	what = fmt.Sprintf(what, args...)
	if inputIsPiped() {
		return fmt.Errorf("this would %s: pass --yes to do it without being asked", what)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "This will %s. Go on? [y/N] ", what)
	answer, err := answer(cmd.Context())
	if err != nil {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("not confirmed: nothing was done")
	}
	return nil
}

// answer returns a line from the terminal. Reading cannot be interrupted, so after
// ctx has ended it goes on in the background.
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
