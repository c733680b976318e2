package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func rootCommand() *cobra.Command {
	var target target
	root := &cobra.Command{
		Use:   "pgmq",
		Short: "A message queue on plain Postgres",
		Long: strings.TrimSpace(`
A message queue on plain Postgres.

The database is that of --database-url, else of DATABASE_URL, else of the usual
PG* variables.

Exit codes, for scripts:
  0    done
  1    failed
  2    wrong usage
  3    done in part, or there was nothing to do it to
  4    pgmq doctor found problems
  130  interrupted by ctrl-C or SIGTERM
  141  nobody reads the output any more`),
		Example: `  pgmq migrate up --database-url postgres://app@localhost/app
  pgmq queue create orders
  pgmq send orders '{"order_id": 42}'
  pgmq read orders --vt 5m`,
		Args:          noCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&target.flag, "database-url", "", "where Postgres is: postgres://user@host/database")
	root.SetFlagErrorFunc(usage)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp) // files are the exception
	root.AddCommand(migrateCommand(&target), apiCommand(&target), queueCommand(&target), maintainCommand(&target))
	root.AddCommand(statsCommand(&target), benchCommand(&target), doctorCommand(&target), generateCommand(&target))
	root.AddCommand(sendCommand(&target), readCommand(&target), popCommand(&target), peekCommand(&target))
	root.AddCommand(deleteCommand(&target), archiveCommand(&target), setVTCommand(&target), redriveCommand(&target))
	return root
}

// usageError is the error of a command line that cannot be run.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usage(cmd *cobra.Command, err error) error {
	return usageError{fmt.Sprintf("%v; see %s --help", err, cmd.CommandPath())}
}

// noCommand is for commands that have others below them and do nothing alone.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd, fmt.Errorf("no command %q", args[0]))
	}
	return nil
}

// exactly requires as many arguments as there are names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			want := "no arguments"
			if len(names) > 0 {
				want = strings.Join(names, " ")
			}
			return usage(cmd, fmt.Errorf("got %d argument(s), expected %s", len(args), want))
		}
		return nil
	}
}

// atLeast requires as many arguments as there are names, or more.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return exactly(names...)(cmd, args)
		}
		return nil
	}
}
