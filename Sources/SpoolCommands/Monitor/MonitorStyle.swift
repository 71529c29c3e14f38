/// The style of every page. Colours have a meaning each, never alone: an icon and a word stand beside them.
enum MonitorStyle {
    static let text: StaticString = """
        :root {
          color-scheme: light dark;
          --paper: #faf9f7; --panel: #ffffff; --ink: #1c2025; --quiet: #565f68; --line: #e2dfd9; --hover: #f3f1ec; --accent: #1a5796;
          --ok: #17683f; --run: #1a5796; --bad: #a8211a; --warn: #7d4900; --skip: #555d66;
          --ok-fill: #dcf1e5; --run-fill: #dceafa; --bad-fill: #fbe3e1; --warn-fill: #fcecd4; --skip-fill: #eceef0;
          --bar-ok: #58a77f; --bar-run: #4d8bd1; --bar-bad: #cf3d34; --bar-skip: #9aa1a9; --bar-load: #c9cdd2;
          --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", monospace;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #131619; --panel: #1a1e22; --ink: #e7e5e0; --quiet: #a3abb3; --line: #2d333a; --hover: #22272d; --accent: #8cbcf2;
            --ok: #7dd6a2; --run: #8cbcf2; --bad: #f7a19b; --warn: #f0bb70; --skip: #a9b1b9;
            --ok-fill: #1a3527; --run-fill: #1a304b; --bad-fill: #471f1d; --warn-fill: #402e11; --skip-fill: #2a3036;
            --bar-ok: #3f8a62; --bar-run: #4d86c4; --bar-bad: #d95a51; --bar-skip: #6d757d; --bar-load: #3b424a;
          }
        }
        * { box-sizing: border-box; }
        html { text-size-adjust: 100%; }
        body {
          margin: 0; background: var(--paper); color: var(--ink);
          font: 15px/1.45 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif;
        }
        a { color: inherit; text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); text-underline-offset: 3px; }
        a:hover { text-decoration-color: currentColor; }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
        main:focus { outline: none; }
        .hidden, caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
        .skip-link { position: absolute; left: -999px; z-index: 1; }
        .skip-link:focus {
          left: 16px; top: 12px; background: var(--panel); padding: 8px 12px; border: 1px solid var(--line); border-radius: 6px;
        }
        header.top {
          display: flex; flex-wrap: wrap; gap: 6px 20px; align-items: center; padding: 14px 24px 10px;
          border-bottom: 1px solid var(--line); background: var(--panel);
        }
        header.top h1 { font-size: 18px; font-weight: 650; margin: 0; letter-spacing: -0.01em; }
        header.top h1 a { text-decoration: none; }
        header.top .meta { color: var(--quiet); font-size: 13px; }
        header.top form { margin-left: auto; }
        nav { flex-basis: 100%; display: flex; flex-wrap: wrap; gap: 2px; margin: 2px -10px 0; }
        nav a { padding: 4px 10px; border-radius: 6px; text-decoration: none; font-size: 14px; }
        nav a:hover { background: var(--hover); }
        nav a[aria-current] {
          background: var(--hover); font-weight: 600; box-shadow: inset 0 -2px 0 var(--accent); border-radius: 6px 6px 0 0;
        }
        main {
          max-width: 1480px; margin: 0 auto; padding: 20px 24px 48px; display: grid; grid-template-columns: minmax(0, 1fr);
          gap: 24px;
        }
        @media (min-width: 1000px) {
          main { grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); }
          main > * { grid-column: 1 / -1; }
          main > .left { grid-column: 1; }
          main > .right { grid-column: 2; }
        }
        @media (min-width: 2200px) { main { max-width: 2000px; } body { font-size: 16px; } }
        .figures {
          display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px; background: var(--line);
          border: 1px solid var(--line); border-radius: 10px; overflow: hidden;
        }
        .figures a { background: var(--panel); padding: 12px 16px; text-decoration: none; display: block; }
        .figures a:hover { background: var(--hover); }
        .figures a:focus-visible { outline-offset: -3px; }
        .figures b {
          display: block; font-size: 24px; font-weight: 650; font-variant-numeric: tabular-nums; letter-spacing: -0.02em;
          line-height: 1.2;
        }
        .figures b span { font-size: 15px; font-weight: 500; letter-spacing: 0; }
        .figures span { color: var(--quiet); font-size: 13px; }
        .figures .bad b { color: var(--bad); }
        .figures .warn b { color: var(--warn); }
        section { min-width: 0; }
        section + section { margin-top: 0; }
        .stack { display: grid; gap: 24px; align-content: start; min-width: 0; }
        .head { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: baseline; margin-bottom: 8px; }
        .head .choices { margin: 0 0 0 auto; }
        h2 { font-size: 15px; font-weight: 650; margin: 0; display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline; }
        h2 small { color: var(--quiet); font-weight: 400; font-size: 13px; }
        .title { margin: 0; font-size: 18px; font-weight: 650; overflow-wrap: anywhere; }
        .lead { margin: 6px 0 0; max-width: 75ch; }
        .card { background: var(--panel); border: 1px solid var(--line); border-radius: 10px; overflow: auto hidden; }
        .scroll { overflow-x: auto; }
        .empty { margin: 0; padding: 12px 14px; color: var(--quiet); overflow-wrap: anywhere; }
        table { border-collapse: collapse; width: 100%; font-size: 14px; }
        th {
          text-align: left; font-weight: 500; color: var(--quiet); font-size: 13px; padding: 8px 12px;
          border-bottom: 1px solid var(--line); white-space: nowrap;
        }
        td { padding: 8px 12px; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
        td:first-child, td .quiet, td .mono, th + td { overflow-wrap: anywhere; }
        tr:last-child > td, tr:last-child > th[scope=row] { border-bottom: 0; }
        th[scope=row] { vertical-align: top; width: 1%; }
        tbody tr:hover { background: var(--hover); }
        .n { text-align: right; font-variant-numeric: tabular-nums; }
        .mono { font-family: var(--mono); font-size: 13px; }
        .quiet { color: var(--quiet); }
        .tag {
          display: inline-flex; gap: 5px; align-items: baseline; padding: 1px 8px; border-radius: 99px; font-size: 13px;
          white-space: nowrap;
        }
        .tag.ok { background: var(--ok-fill); color: var(--ok); } .tag.run { background: var(--run-fill); color: var(--run); }
        .tag.bad { background: var(--bad-fill); color: var(--bad); } .tag.warn { background: var(--warn-fill); color: var(--warn); }
        .tag.skip { background: var(--skip-fill); color: var(--skip); }
        progress {
          appearance: none; width: 110px; height: 6px; border: 0; border-radius: 3px; background: var(--skip-fill);
          overflow: hidden; vertical-align: middle;
        }
        progress::-webkit-progress-bar { background: var(--skip-fill); } progress::-webkit-progress-value { background: var(--bar-run); }
        progress::-moz-progress-bar { background: var(--bar-run); }
        .marks { display: inline-flex; gap: 2px; vertical-align: middle; align-items: end; }
        .marks i { width: 6px; height: 10px; border-radius: 2px; background: var(--bar-ok); }
        .marks i.f { background: var(--bar-bad); height: 18px; border-radius: 0; }
        .marks i.r { background: none; border: 1.5px solid var(--bar-run); }
        .marks i.s { background: var(--bar-skip); height: 4px; }
        pre {
          margin: 6px 0 0; padding: 8px 10px; background: var(--paper); border-radius: 6px; font: 13px/1.4 var(--mono);
          overflow: auto;
        }
        td pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
        pre.tail { margin: 0; max-height: 60vh; border-radius: 0; background: none; padding: 12px 14px; }
        .item { padding: 10px 14px; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; } .item:last-child { border-bottom: 0; }
        .item p { margin: 0; display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline; }
        .choices {
          display: inline-flex; flex-wrap: wrap; border: 1px solid var(--line); border-radius: 6px; overflow: hidden;
          font-size: 13px; font-weight: 400;
        }
        .choices a { padding: 2px 10px; text-decoration: none; } .choices a:hover { background: var(--hover); }
        .choices a[aria-current] { background: var(--hover); font-weight: 600; }
        .choices a:focus-visible { outline-offset: -2px; }
        .filters { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: end; }
        .filters label { display: grid; gap: 2px; font-size: 13px; color: var(--quiet); }
        input, select, button {
          font: inherit; font-size: 14px; color: inherit; background: var(--panel);
          border: 1px solid color-mix(in srgb, var(--quiet) 60%, var(--line)); border-radius: 6px; padding: 3px 10px;
          min-height: 30px;
        }
        input::placeholder { color: var(--quiet); opacity: 1; }
        input { width: 100%; max-width: 200px; }
        button:hover { background: var(--hover); }
        .pages { display: flex; gap: 16px; padding-top: 10px; font-size: 14px; }
        svg { display: block; width: 100%; min-width: 720px; height: auto; }
        svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .dim { fill: var(--quiet); } svg .grid { stroke: var(--line); }
        svg .now { stroke: var(--bad); stroke-width: 1.5; }
        svg .done { fill: var(--bar-ok); }
        svg .failed, svg .full { fill: var(--bar-bad); } svg .missed { fill: none; stroke: var(--bar-bad); }
        svg .running { fill: var(--bar-run); stroke: var(--ink); }
        svg .skipped { fill: var(--bar-skip); } svg .load { fill: var(--bar-load); }
        svg .due { fill: none; stroke: var(--quiet); } svg .long { stroke-dasharray: 3 2; }
        .legend {
          display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 8px 14px; font-size: 13px; color: var(--quiet);
          border-top: 1px solid var(--line);
        }
        .legend i { display: inline-block; width: 12px; height: 10px; margin-right: 6px; vertical-align: middle; }
        .legend .ok { background: var(--bar-ok); } .legend .bad { background: var(--bar-bad); height: 18px; }
        .legend .missed { border: 1px solid var(--bar-bad); height: 18px; }
        .legend .run { background: var(--bar-run); border: 1px solid var(--ink); }
        .legend .skip { background: var(--bar-skip); height: 4px; } .legend .due { border: 1px dashed var(--quiet); }
        footer {
          max-width: 1480px; margin: 0 auto; padding: 0 24px 32px; color: var(--quiet); font-size: 13px; display: flex;
          gap: 8px 16px; flex-wrap: wrap; align-items: center;
        }
        .stale { background: var(--warn-fill); color: var(--warn); border-radius: 6px; padding: 3px 10px; }
        footer:has(.stale) {
          position: sticky; bottom: 0; padding-top: 10px; padding-bottom: 10px; background: var(--panel); border-top: 1px solid var(--line);
        }
        @media (max-width: 700px) {
          header.top { padding: 12px 16px 8px; } main { padding: 16px 12px 40px; gap: 20px; } footer { padding: 0 16px 28px; }
          header.top form { margin-left: 0; flex-basis: 100%; } header.top input { max-width: none; }
          .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
          table[role=table] thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
          table[role=table], table[role=table] tbody, table[role=table] tr, table[role=table] td { display: block; width: 100%; }
          table[role=table] tr { padding: 8px 14px; border-bottom: 1px solid var(--line); }
          table[role=table] tr:last-child { border-bottom: 0; }
          table[role=table] td {
            padding: 2px 0; border: 0; display: grid; grid-template-columns: 84px minmax(0, 1fr); gap: 8px; text-align: left;
          }
          table[role=table] td::before { content: attr(data-label); color: var(--quiet); font-size: 13px; }
          table[role=table] td > div { min-width: 0; }
        }
        @media (prefers-reduced-motion: no-preference) { a, button { transition: background-color .1s; } }
        @media print { header.top form, nav, footer, .skip-link { display: none; } }
        """
}
