#!/usr/bin/env python3
"""Generate realistic telemetry from the golden payloads. Deterministic for a given --seed/--n/--end.
  python3 gen.py --n 10000 --out events_10k.jsonl [--days 7] [--end 2026-11-23T08:00:00] [--agents 20]
Each 'session' is one monitored process: monitoring.start, 4x framework.patch, T turns, monitoring.stop, framework.unpatch.
A turn = (security.content.* before the call, 8%) + llm.call.start + llm.call.finish|end|error (+ 0..2 MCP tool.execution/tool.result or tool.start/tool.end).
Attribute keys, nesting and env.* context are copied from real captured bodies; ids, timestamps, prompts, tokens, durations vary."""
import json, random, argparse, datetime as dt, os, copy, sys
ap=argparse.ArgumentParser(); ap.add_argument('--n',type=int,default=10000); ap.add_argument('--out',required=True); ap.add_argument('--days',type=float,default=7); ap.add_argument('--end',default=None); ap.add_argument('--agents',type=int,default=20); ap.add_argument('--seed',type=int,default=7)
ap.add_argument('--golden',default=os.path.join(os.path.dirname(os.path.abspath(__file__)),'..','fixtures','golden','monitor-events.ndjson')); ap.add_argument('--order',choices=['time','session'],default='time')
a=ap.parse_args(); R=random.Random(a.seed)
T={}
for l in open(a.golden):
    e=json.loads(l); at=e['attributes']; k=e['name']
    if k.startswith('llm.call'): k+='|'+str(at.get('llm.vendor'))
    if k in('tool.execution','tool.result'): k+='|'+str(at.get('framework.name'))
    T.setdefault(k,[]).append(e)
# templates with full payloads
T['llm.call.finish|anthropic']=[e for e in T['llm.call.finish|anthropic'] if 'llm.usage.input_tokens' in e['attributes']]
T['llm.call.end|openai']=[e for e in T['llm.call.end|openai'] if 'llm.usage.input_tokens' in e['attributes']]
MODELS={'anthropic':['claude-3-haiku-20240307']*5+['claude-3-5-sonnet-20240620']*4+['claude-3-opus-20240229'],'openai':['gpt-4o']*5+['gpt-4o-mini']*4+['gpt-3.5-turbo']}
TOOLS=['get_forecast','get_alerts','search_docs','run_sql','send_email','read_file','calc','web_fetch']
W="the quick agent asks about weather in paris and plans a trip while the customer wants a refund for order number and the system checks policy documents then drafts a polite summary with next steps".split()
def words(n): return ' '.join(R.choice(W) for _ in range(n))
end=dt.datetime.fromisoformat(a.end) if a.end else dt.datetime.utcnow().replace(microsecond=0)
def ts(t): return t.isoformat(timespec='microseconds')+'Z'
hexid=lambda n: '%0*x'%(n,R.getrandbits(n*4))
agents=[f"{R.choice(['weather','support','research','rag','chatbot','ops','billing','triage','sales','coder'])}-agent-{i:02d}" for i in range(a.agents)]
def mk(key,t,ctx,span,parent,upd=None,drop=()):
    e=copy.deepcopy(R.choice(T[key])); e['timestamp']=ts(t); e['trace_id']=ctx['trace']; e['span_id']=span; e['parent_span_id']=parent; e['agent_id']=ctx['agent']
    at=e['attributes']; at['session.id']=ctx['session']; at['process.id']=ctx['pid']; at['host.name']=ctx['host']
    if 'agent.id' in at: at['agent.id']=ctx['agent']
    for k in drop: at.pop(k,None)
    if upd: at.update(upd)
    return e
out=[]
while len(out)<a.n:
    ctx={'trace':hexid(32),'session':f"{hexid(8)}-{hexid(4)}-4{hexid(3)}-a{hexid(3)}-{hexid(12)}",'agent':R.choice(agents),'pid':R.randint(200,60000),'host':'host-%d'%R.randint(1,5)}
    t=end-dt.timedelta(seconds=R.random()*a.days*86400); step=lambda s: dt.timedelta(seconds=R.random()*s)
    ev=[mk('monitoring.start',t,ctx,None,None)]
    fw=T['framework.patch']
    for _ in range(4): t+=step(.02); ev.append(mk('framework.patch',t,ctx,None,None))
    vendor=R.choice(['anthropic','anthropic','openai']); parent=None
    for turn in range(R.randint(3,25)):
        t+=step(20); span=hexid(16); model=R.choice(MODELS[vendor]); n=int(R.lognormvariate(3.3,1.0))+3; prompt=words(min(n,1500)); it=int(len(prompt)/4)+8; ot=int(R.lognormvariate(4,0.8))+1
        if R.random()<0.08:
            k=R.choice(['security.content.suspicious','security.content.dangerous','security.content.dangerous'])
            ev.append(mk(k,t,ctx,span,parent,{'llm.vendor':vendor,'security.detection_time':ts(t),'security.message_id':'security-'+hexid(8)}))
        t+=dt.timedelta(milliseconds=1)
        req={'messages':([{'role':'system','content':words(12)}] if R.random()<.4 else [])+[{'role':'user','content':prompt}],'model':model,'max_tokens':R.choice([256,512,1024]),'temperature':R.choice([0.0,0.2,0.7])}
        ev.append(mk('llm.call.start|'+vendor,t,ctx,span,parent,{'llm.model':model,'llm.request.data':req,'llm.request.timestamp':ts(t),'llm.request.max_tokens':req['max_tokens'],'llm.request.temperature':req['temperature']}))
        d=int(R.lognormvariate(6.7,0.7)); t2=t+dt.timedelta(milliseconds=d)
        if R.random()<0.03: ev.append(mk('llm.call.error|anthropic',t2,ctx,span,parent,{'llm.vendor':vendor,'llm.model':model,'llm.response.duration_ms':d}))
        else:
            txt=words(min(ot,800))
            if vendor=='anthropic': u={'llm.model':model,'llm.response.id':'msg_'+hexid(24),'llm.response.timestamp':ts(t2),'llm.response.duration_ms':d,'llm.response.stop_reason':R.choice(['end_turn']*8+['tool_use','max_tokens']),'llm.response.content':[{'type':'text','text':txt}],'llm.usage.input_tokens':it,'llm.usage.output_tokens':ot}; k='llm.call.finish|anthropic'
            else: u={'llm.model':model,'llm.response.id':'chatcmpl-'+hexid(24),'llm.response.timestamp':ts(t2),'llm.response.duration_ms':d,'llm.response.stop_reason':R.choice(['stop']*8+['tool_calls','length']),'llm.response.content':{'role':'assistant','content':txt,'function_call':None},'llm.usage.input_tokens':it,'llm.usage.output_tokens':ot,'llm.usage.total_tokens':it+ot}; k='llm.call.end|openai'
            ev.append(mk(k,t2,ctx,span,parent,u))
        t=t2
        for _ in range(R.choice([0,0,1,1,2])):
            s2=hexid(16); t+=step(.05); nm=R.choice(TOOLS); lc=R.random()<.2
            if lc:
                ev.append(mk('tool.start',t,ctx,s2,span,{'tool.name':nm})); t+=step(1.5)
                ev.append(mk('tool.error',t,ctx,s2,span,{'tool.name':nm}) if R.random()<.08 else mk('tool.end',t,ctx,s2,span,{'tool.name':nm,'tool.result':words(20)}))
            else:
                ev.append(mk('tool.execution|mcp',t,ctx,s2,span,{'tool.name':nm})); t+=step(1.5)
                ev.append(mk('tool.result|mcp',t,ctx,s2,span,{'tool.name':nm}))
        if vendor=='openai': parent=span
    ev.append(mk('monitoring.stop',t,ctx,None,None)); ev.append(mk('framework.unpatch',t,ctx,None,None))
    out.extend(ev)
out=out[:a.n]
if a.order=='time': out.sort(key=lambda e:e['timestamp'])
sz=0
with open(a.out,'w') as f:
    for e in out: s=json.dumps(e,separators=(', ',': ')); sz+=len(s)+1; f.write(s+'\n')
import collections
c=collections.Counter(e['name'] for e in out); print(len(out),'events',sz,'bytes','avg',sz//len(out)); print(dict(c)); print('sessions',len({e['attributes']['session.id'] for e in out}),'range',out[0]['timestamp'],out[-1]['timestamp'])
