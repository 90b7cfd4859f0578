/** The one style of the page. Colours are variables: pictures and text change together between light and dark. */

const LIGHT = `
color-scheme:light;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d1d9e0;--shade:#f6f8fa;--link:#0550ae;
--leader:#1158c7;--claimed:#5b8def;--standby-leader:#7a3ec8;--odd:#b35900;--second:#cf222e;--replica:#8496a9;
--stopped:#57606a;--silent:#b9c1ca;--outage:#cf222e;--hole:#e4e8ec;
--critical:#b3151f;--warning:#8a5a00;--unknown:#6639ba;--info:#0550ae;`;

const DARK = `
color-scheme:dark;--paper:#14171b;--ink:#e8ebee;--soft:#a3adb8;--line:#3a424b;--shade:#1d2228;--link:#79b8ff;
--leader:#4d94ff;--claimed:#8db9f5;--standby-leader:#b58aef;--odd:#f0932b;--second:#ff6b6b;--replica:#75879a;
--stopped:#98a2ad;--silent:#4c5762;--outage:#ff6b6b;--hole:#2a3138;
--critical:#ff7b7b;--warning:#e3b341;--unknown:#c4a3ff;--info:#79b8ff;`;

export const STYLE = `
:root{${LIGHT}}
@media screen and (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1rem 1.25rem 3rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:break-word}
bdi,code,.any,h1,h2,li,p{overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}
h2{font-size:1.35rem;margin:2.5rem 0 .5rem;padding-top:.75rem;border-top:2px solid var(--line)}
h3{font-size:1.1rem;margin:1.75rem 0 .4rem}
p{margin:.4rem 0;max-width:48rem}
a{color:var(--link)}
ul{margin:.4rem 0;padding-left:1.3rem}
.soft{color:var(--soft)}
.scroll{overflow-x:auto;margin:.5rem 0}
.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
figure{margin:.5rem 0}
figure svg{display:block;color:var(--ink);overflow:visible}
svg text{white-space:pre}
figcaption,.legend{color:var(--soft);font-size:.875rem}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0}
.legend svg{display:inline-block;vertical-align:-1px;margin-right:.35rem}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}
th,td{min-width:5rem}
th{font-weight:600}
tbody th.plain{font-weight:400}
.tight{white-space:nowrap}
td .evidence{display:block;color:var(--soft);font-size:.8125rem}
code,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:.875em}
bdi{unicode-bidi:isolate}
.critical{color:var(--critical)}.warning{color:var(--warning)}.unknown{color:var(--unknown)}.info{color:var(--info)}
.critical,.warning,.unknown,.info{font-weight:600}
.note{border-left:4px solid var(--line);padding:.2rem .8rem;background:var(--shade)}
form.filter{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:end;margin:.5rem 0;font-size:.875rem}
form.filter[hidden]{display:none}
form.filter label{display:grid;gap:.15rem}
form.filter input,form.filter select{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--soft);
border-radius:4px;padding:.25rem .4rem;max-width:15rem}
@media (max-width:40rem){body{padding:.5rem .75rem 2rem}
table.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table.cards tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}
table.cards td,table.cards th[scope=row]{display:block;border:0;padding:.05rem 0}
table.cards td[data-label]::before{content:attr(data-label) ": ";color:var(--soft)}}
@media print{html{font-size:11px}body{max-width:none;padding:0;font-size:1rem}
.scroll{overflow:visible}figure svg{max-width:100%;height:auto}
form.filter{display:none}h2,h3,caption{break-after:avoid}figure,tr,li{break-inside:avoid}thead{display:table-header-group}
section.cluster+section.cluster{break-before:page}}
`;
